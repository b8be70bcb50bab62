/* test_spec.c - the model language: shapes inferred, names, canonical text, and every way to be refused. */
#include <criterion/criterion.h>
#include <cuglyph/graph.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/same_graph.h"

#define I28 "input 28x28x1; "

static cug_graph *parse(const char *text) {
    cug_graph *g = 0;
    cug_status s = cug_spec_parse(&g, text, "t");
    cr_assert_eq(s, CUG_OK, "%s\n  refused: %s", text, cug_error());
    return g;
}

static const cug_value *output_of(const cug_graph *g, const char *layer) {
    for (int i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].name, layer) == 0) return &g->values[g->nodes[i].out];
    cr_assert_fail("no layer '%s' in %s", layer, g->spec);
    return 0;
}

Test(spec, shapes) {
    static const struct {
        const char *text, *layer;
        int flat, H, W, C;
    } cases[] = {
        {I28 "conv 8 3x3; flatten; linear 2", "conv1", 0, 26, 26, 8},
        {I28 "conv 8 3; flatten; linear 2", "conv1", 0, 26, 26, 8},
        {I28 "conv 8 5x3; flatten; linear 2", "conv1", 0, 24, 26, 8},
        {I28 "conv 8 3x3 stride=2; flatten; linear 2", "conv1", 0, 13, 13, 8},
        {I28 "conv 8 3x3 stride=2x3; flatten; linear 2", "conv1", 0, 13, 9, 8},
        {I28 "conv 8 3x3 pad=1; flatten; linear 2", "conv1", 0, 28, 28, 8},
        {I28 "conv 8 3x3 pad=2x0; flatten; linear 2", "conv1", 0, 30, 26, 8},
        {I28 "conv 8 5x5 pad=same; flatten; linear 2", "conv1", 0, 28, 28, 8},
        {I28 "conv 8 4x2 pad=same; flatten; linear 2", "conv1", 0, 28, 28, 8},
        {I28 "conv 8 3x3 pad=same stride=2; flatten; linear 2", "conv1", 0, 14, 14, 8},
        {"input 7x5x2; conv 8 3x3 pad=same stride=2; flatten; linear 2", "conv1", 0, 4, 3, 8},
        {"input 7x5x2; conv 8 1x1 pad=same stride=3; flatten; linear 2", "conv1", 0, 3, 2, 8},
        {"input 7x5x2; conv 8 7x5; flatten; linear 2", "conv1", 0, 1, 1, 8},
        {I28 "maxpool 2; flatten; linear 2", "pool1", 0, 14, 14, 1},
        {"input 11x11x6; maxpool 2x2; flatten; linear 2", "pool1", 0, 5, 5, 6},
        {"input 11x11x6; maxpool 3x3 stride=2; flatten; linear 2", "pool1", 0, 5, 5, 6},
        {"input 11x11x6; avgpool 3x2 pad=1; flatten; linear 2", "pool1", 0, 4, 6, 6},
        {"input 11x11x6; avgpool 2 pad=same; flatten; linear 2", "pool1", 0, 6, 6, 6},
        {"input 5x5x64; flatten; linear 2", "flatten1", 1, 1, 1, 1600},
        {"input 784; linear 2", "fc1", 1, 1, 1, 2},
        {"input 5x4x3; residual { conv 3 3x3 pad=same; relu }; flatten; linear 2", "residual1", 0, 5, 4, 3},
        {"input 5x4x3; branch { { conv 7 1x1 } { maxpool 3 stride=1 pad=1 } {} }; flatten; linear 2", "branch1", 0, 5,
         4, 13},
        {"input 9; branch { { linear 4 } {} }; linear 2", "branch1", 1, 1, 1, 13},
        {"input 9; linear 5 as a; linear 4; concat a input; linear 2", "concat1", 1, 1, 1, 18},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_graph *g = parse(cases[i].text);
        const cug_value *v = output_of(g, cases[i].layer);
        cr_expect(v->flat == cases[i].flat && v->H == cases[i].H && v->W == cases[i].W && v->C == cases[i].C,
                  "%s: %s is %dx%dx%d%s", cases[i].text, cases[i].layer, v->H, v->W, v->C, v->flat ? " flat" : "");
        cug_graph_free(g);
    }
}

Test(spec, same_padding_puts_the_odd_pixel_at_bottom_and_right) {
    cug_graph *g = parse("input 28x27x1; conv 8 3x4 pad=same stride=2; flatten; linear 2");
    const cug_conv2d_shape *s = &g->nodes[0].u.conv2d;
    /* rows: 14 outputs need 13*2+3 = 29 = 28 + 1; columns: 14 need 13*2+4 = 30 = 27 + 3 */
    cr_expect(s->pad_top == 0 && s->pad_bottom == 1, "rows %d %d", s->pad_top, s->pad_bottom);
    cr_expect(s->pad_left == 1 && s->pad_right == 2, "columns %d %d", s->pad_left, s->pad_right);
    cug_graph_free(g);
}

Test(spec, every_node_is_for_one_sample) {
    cug_graph *g = parse("input 6x4x3; conv 5 3x3 pad=1; bias; relu; dropout 0.25; residual { leaky_relu slope=0.5 }; "
                         "concat conv1; flatten; bias; linear 2");
    cr_expect(g->nodes[0].u.conv2d.N == 1);
    cr_expect(g->nodes[1].u.bias.rows == 24 && g->nodes[1].u.bias.C == 5);
    cr_expect(g->nodes[2].u.activation.kind == CUG_ACT_RELU && g->nodes[2].u.activation.count == 120);
    const cug_dropout_shape *d = &g->nodes[3].u.dropout;
    cr_expect(d->N == 1 && d->F == 120 && d->drop == 1u << 30 && d->scale == (float)(1 / 0.75) && d->node == 3);
    cr_expect(g->nodes[4].u.activation.kind == CUG_ACT_LEAKY_RELU && g->nodes[4].u.activation.slope == 0.5f);
    cr_expect(g->nodes[5].u.add.inputs == 2 && g->nodes[5].u.add.count == 120);
    const cug_concat_shape *c = &g->nodes[6].u.concat;
    cr_expect(c->inputs == 2 && c->rows == 24 && c->C[0] == 5 && c->C[1] == 5 && c->total == 10);
    cr_expect(g->nodes[8].u.bias.rows == 1 && g->nodes[8].u.bias.C == 240);
    cr_expect(g->nodes[9].u.linear.N == 1 && g->nodes[9].u.linear.I == 240 && g->nodes[9].u.linear.O == 2);
    cug_graph_free(g);
}

Test(spec, edges_of_a_residual_and_a_branch) {
    cug_graph *g = parse("input 4x4x2\nresidual {\n conv 2 3x3 pad=same as a\n relu as b\n} as sum\n"
                         "branch { {conv 3 1x1 as c} {} {conv 1 1x1 as d} } as joined\nflatten\nlinear 3\nloss mse\n");
    const cug_node *sum = &g->nodes[2], *joined = &g->nodes[5];
    cr_assert(strcmp(sum->name, "sum") == 0 && sum->op == CUG_OP_ADD && sum->n_in == 2);
    cr_expect(strcmp(g->values[sum->in[0]].name, "b") == 0 && sum->in[1] == 0, "block's output first, then its input");
    cr_assert(strcmp(joined->name, "joined") == 0 && joined->op == CUG_OP_CONCAT && joined->n_in == 3);
    cr_expect(strcmp(g->values[joined->in[0]].name, "c") == 0 && joined->in[1] == sum->out &&
              strcmp(g->values[joined->in[2]].name, "d") == 0);
    cr_expect(g->values[0].users == 2 && g->values[0].producer == -1, "read by the convolution and the sum");
    cr_expect(g->values[sum->out].users == 3 && g->values[sum->out].producer == 2);
    cr_expect(g->output == g->n_values - 1 && g->values[g->output].users == 1, "the model's output is a use");
    cr_expect(sum->line == 2 && g->nodes[0].line == 3 && g->nodes[7].line == 8, "lines of the text");
    cr_expect(g->loss == CUG_LOSS_MSE);
    cug_graph_free(g);
}

Test(spec, tied_layers_share_segments) {
    cug_graph *g = parse("input 6; linear 6 as one; relu; linear 6 tie=one; linear 2");
    cr_expect(g->nodes[2].weight == g->nodes[0].weight && g->nodes[2].bias == g->nodes[0].bias);
    cr_expect(g->n_segments == 4 && g->param_count == 42 + 14);
    cug_graph_free(g);
    g = parse("input 6x6x2; conv 2 3x3 pad=1 bias=no as k; conv 2 3x3 tie=k; bias; bias tie=bias1; flatten; linear 2");
    cr_expect(g->nodes[1].weight == g->nodes[0].weight && g->nodes[1].bias == -1);
    cr_expect(g->nodes[3].bias == g->nodes[2].bias && g->nodes[3].weight == -1);
    cug_graph_free(g);
}

Test(spec, automatic_names_avoid_given_ones) {
    static const char *const want[] = {"conv1", "relu1", "conv2", "conv7", "conv8", "pool1", "flatten1", "fc1", "fc2"};
    cug_graph *g = parse(I28 "conv 1 1; relu; conv 1 1; conv 1 1 as conv7; conv 1 1; maxpool 2; flatten; linear 4; "
                             "linear 2");
    for (int i = 0; i < g->n_nodes; i++) cr_expect_str_eq(g->nodes[i].name, want[i]);
    cug_graph_free(g);
    g = parse("input 9; relu as fc2; relu as fc1; linear 4");
    cr_expect_str_eq(g->nodes[2].name, "fc3");
    cug_graph_free(g);
}

/* input -> expected canonical text (NULL: the same) */
Test(spec, canonical_text) {
    static const char *const cases[][2] = {
        {"\xEF\xBB\xBFinput 28x28x1\r\n\r\n# comment ; with { everything }\n conv 8 3 stride=1 pad=valid bias=yes "
         "init=auto # end\r\n relu;;;flatten\n\tlinear 10\nloss softmax_xent",
         "input 28x28x1; conv 8 3x3; relu; flatten; linear 10"},
        {"input 9;linear 3 init = he bias = no;loss bce_logits", "input 9; linear 3 bias=no init=he_uniform; loss "
                                                                 "bce_logits"},
        {I28 "conv 8 5x3 stride=2x2 pad=1x1; maxpool 2x2 stride=2; avgpool 3 stride=1x1 pad=same; flatten; linear 2",
         I28 "conv 8 5x3 stride=2 pad=1; maxpool 2x2; avgpool 3x3 stride=1 pad=same; flatten; linear 2"},
        {"input 9; sequence { sequence { linear 4 } relu } sequence {} linear 2", "input 9; linear 4; relu; linear 2"},
        {"input 9; dropout 5e-1; leaky_relu slope=.01; leaky_relu slope=0.1; linear 2",
         "input 9; dropout 0.5; leaky_relu; leaky_relu slope=0.100000001; linear 2"},
        {"input 9; linear 4 as a; from input; linear 4; from input; from a; relu; add fc1; linear 2",
         "input 9; linear 4 as a; from input; linear 4; from a; relu; add fc1; linear 2"},
        {"input 9; linear 4 as a; residual { linear 4; relu; from fc1 } as r; concat a relu1 input; linear 2", 0},
        {"input 4x4x2; residual\n{\nbranch { {conv 1 1x1}\n{conv 1 3x3 pad=same} }\n}\nflatten; linear 2",
         "input 4x4x2; residual { branch { { conv 1 1x1 } { conv 1 3x3 pad=same } } }; flatten; linear 2"},
        {"input 9; branch { {} {} }; branch { { from branch1 } { from input; linear 2 } }; linear 2",
         "input 9; branch { { } { } }; branch { { } { from input; linear 2 } }; linear 2"},
        {"input 9; linear 9 as a; linear 9 tie=a; linear 9 as relu1; relu; linear 3; loss mse", 0},
        {"input 9; linear 4; linear 3 as fc9; relu; linear 3; add fc9; from add1; from add1",
         "input 9; linear 4; "
         "linear 3 as fc9; relu; linear "
         "3; add fc9"},
        {"input 9; linear 3; linear 3; from fc1; add fc2; flatten", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *want = cases[i][1] ? cases[i][1] : cases[i][0];
        cug_graph *g = parse(cases[i][0]);
        cr_expect_str_eq(g->spec, want);
        cug_graph *again = parse(g->spec);
        const char *differs = same_graph(g, again);
        cr_expect(!differs, "%s: reading it again changes %s", g->spec, differs ? differs : "");
        cug_graph_free(again);
        cug_graph_free(g);
    }
}

#define LAST "flatten\nlinear 10\n"

Test(spec, every_refusal_has_its_code_and_line) {
    static const struct {
        const char *text;
        cug_status status;
        int line;
        const char *says; /* part of the message */
    } cases[] = {
        {"", CUG_ESPEC_SYNTAX, 1, "empty"},
        {"\n# nothing\n", CUG_ESPEC_SYNTAX, 3, "empty"},
        {"input 784", CUG_ESPEC_SYNTAX, 1, "no layer"},
        {"conv 8 3x3", CUG_ESPEC_SYNTAX, 1, "must begin with its input"},
        {"residual {\ninput 784 }", CUG_ESPEC_SYNTAX, 1, "must begin with its input"},
        {"input", CUG_ESPEC_SYNTAX, 1, "the form is"},
        {"input 28 28 1", CUG_ESPEC_SYNTAX, 1, "the form is"},
        {"input 784 as x", CUG_ESPEC_SYNTAX, 1, "the form is"},
        {"input 28x28", CUG_ESPEC_VALUE, 1, "28x28x1"},
        {"input 1x2x3x4", CUG_ESPEC_VALUE, 1, "three extents"},
        {"input 28x0x1", CUG_ESPEC_VALUE, 1, "at least 1"},
        {"input 28xx1", CUG_ESPEC_SYNTAX, 1, "whole number"},
        {"input -3", CUG_ESPEC_VALUE, 1, "'-3'"},
        {"input 99999999999", CUG_ESPEC_LIMIT, 1, "too large"},
        {"input 50000x50000x1", CUG_ESPEC_LIMIT, 1, "2^31"},
        {"input 1x2147483647x2147483647", CUG_ESPEC_LIMIT, 1, "2^31"},
        {"input 784\ninput 784", CUG_ESPEC_SYNTAX, 2, "already"},
        {"input 784\n\ndenze 10", CUG_ESPEC_UNKNOWN, 3, "unknown layer 'denze'"},
        {"input 784\n\ndense 10", CUG_ESPEC_UNKNOWN, 3, "did you mean 'linear'"},
        {"input 784\nlinaer 10", CUG_ESPEC_UNKNOWN, 2, "did you mean 'linear'"},
        {"input 784\nReLU", CUG_ESPEC_UNKNOWN, 2, "did you mean 'relu'"},
        {I28 "\nconv2d 8 3x3", CUG_ESPEC_UNKNOWN, 2, "did you mean 'conv'"},
        {I28 "\nconv 8 3x3 strid=2", CUG_ESPEC_UNKNOWN, 2, "did you mean 'stride'"},
        {I28 "\nrelu slope=0.1", CUG_ESPEC_UNKNOWN, 2, "'slope'"},
        {I28 "\nconv 8", CUG_ESPEC_SYNTAX, 2, "something is missing"},
        {I28 "\nconv 8 3x3 4", CUG_ESPEC_SYNTAX, 2, "'4' is too much"},
        {I28 "\nconv 8 stride=2 3x3", CUG_ESPEC_SYNTAX, 2, "before the key=value"},
        {I28 "\nconv 8 3x3 stride=", CUG_ESPEC_SYNTAX, 2, "lacks its value"},
        {I28 "\nconv 8 3x3 = 2", CUG_ESPEC_SYNTAX, 2, "something is missing"},
        {I28 "\nconv = 8", CUG_ESPEC_SYNTAX, 2, "alone"},
        {I28 "\nconv 8 3x3 pad=1 pad=1", CUG_ESPEC_SYNTAX, 2, "twice"},
        {I28 "\n= 3", CUG_ESPEC_SYNTAX, 2, "beginning of a line"},
        {I28 "\nconv a 3x3", CUG_ESPEC_SYNTAX, 2, "'a' is not a whole number"},
        {I28 "\nconv 0 3x3", CUG_ESPEC_VALUE, 2, "at least 1"},
        {I28 "\nconv 8 3x", CUG_ESPEC_SYNTAX, 2, "'3x'"},
        {I28 "\nconv 8 3x0", CUG_ESPEC_VALUE, 2, "at least 1"},
        {I28 "\nconv 8 3x3 stride=0", CUG_ESPEC_VALUE, 2, "stride"},
        {I28 "\nconv 8 3x3 pad=-1", CUG_ESPEC_VALUE, 2, "pad"},
        {I28 "\nconv 8 3x3 pad=full", CUG_ESPEC_VALUE, 2, "same, valid"},
        {I28 "\nconv 8 3x3 bias=true", CUG_ESPEC_VALUE, 2, "yes or no"},
        {I28 "\nconv 8 3x3 init=xavier", CUG_ESPEC_VALUE, 2, "glorot_uniform"},
        {I28 "\nconv 4294967297 3x3", CUG_ESPEC_LIMIT, 2, "too large"},
        {I28 "\nconv 8 3x3 pad=2147483647", CUG_ESPEC_LIMIT, 2, "too large"},
        {I28 "\nconv 2000000000 28x28", CUG_ESPEC_SHAPE, 2, "2^31"},
        {I28 "\nconv 8 29x3", CUG_ESPEC_SHAPE, 2, "larger than the padded image (28)"},
        {I28 "\nconv 8 3x3 pad=same as a\nmaxpool 2\nconv 8 3x3 tie=a", CUG_ESPEC_SHAPE, 4, "8x3x3x1"},
        {"input 784\nconv 8 3x3", CUG_ESPEC_SHAPE, 2, "needs an image"},
        {"input 784\nmaxpool 2", CUG_ESPEC_SHAPE, 2, "needs an image"},
        {I28 "\nlinear 10", CUG_ESPEC_SHAPE, 2, "add a line `flatten`"},
        {I28 "\nmaxpool 16", CUG_ESPEC_LIMIT, 2, "15"},
        {I28 "\nmaxpool 2 pad=2", CUG_ESPEC_VALUE, 2, "smaller than the window"},
        {"input 1x1x5\nmaxpool 2", CUG_ESPEC_SHAPE, 2, "larger than the padded image"},
        {"input 9\nleaky_relu slope=1.5", CUG_ESPEC_VALUE, 2, "between 0 and 1"},
        {"input 9\nleaky_relu slope=nan", CUG_ESPEC_SYNTAX, 2, "not a number"},
        {"input 9\ndropout 1", CUG_ESPEC_VALUE, 2, "below 1"},
        {"input 9\ndropout -0.1", CUG_ESPEC_VALUE, 2, "at least 0"},
        {"input 9\ndropout inf", CUG_ESPEC_SYNTAX, 2, "not a number"},
        {"input 9\ndropout 1e999", CUG_ESPEC_VALUE, 2, "below 1"},
        {"input 9\ndropout 0x1p-3", CUG_ESPEC_SYNTAX, 2, "not a number"},
        {"input 9\nrelu as", CUG_ESPEC_SYNTAX, 2, "name is missing"},
        {"input 9\nrelu as a b", CUG_ESPEC_SYNTAX, 2, "ends the line"},
        {"input 9\nrelu as 2a", CUG_ESPEC_NAME, 2, "cannot be a name"},
        {"input 9\nrelu as a-b", CUG_ESPEC_NAME, 2, "cannot be a name"},
        {"input 9\nrelu as as", CUG_ESPEC_NAME, 2, "cannot be a name"},
        {"input 9\nrelu as input", CUG_ESPEC_NAME, 2, "choose another"},
        {"input 9\nrelu as a\nrelu as a", CUG_ESPEC_NAME, 3, "taken by the layer of line 2"},
        {"input 9\nrelu\nlinear 2 as relu1", CUG_ESPEC_NAME, 3, "taken"},
        {"input 9\nrelu as a234567890123456789012345678901234567890123456789", CUG_ESPEC_LIMIT, 2, "longer than 48"},
        {"input 9\nfrom b", CUG_ESPEC_NAME, 2, "called 'b'"},
        {"input 9\nlinear 4 as hidden\nfrom hiden", CUG_ESPEC_NAME, 3, "did you mean 'hidden'"},
        {"input 9\nfrom", CUG_ESPEC_SYNTAX, 2, "from NAME"},
        {"input 9\nlinear 4\nadd later\nlinear 4 as later", CUG_ESPEC_NAME, 3, "before this one"},
        {"input 9\nadd", CUG_ESPEC_SYNTAX, 2, "something is missing"},
        {"input 9\nadd input input input input input input input input", CUG_ESPEC_LIMIT, 2, "more than 8"},
        {"input 9\nlinear 4\nadd input", CUG_ESPEC_SHAPE, 3, "'fc1' of 4 and 'input' of 9"},
        {"input 4x4x2\nmaxpool 2\nconcat input", CUG_ESPEC_SHAPE, 3, "of 2x2x2 and 'input' of 4x4x2"},
        {"input 9x9x2\nresidual {\nconv 2 3x3\n}\n" LAST, CUG_ESPEC_SHAPE, 2, "of 7x7x2 and 'input' of 9x9x2"},
        {"input 9x9x2\nbranch { {conv 2 3x3} {} }\n" LAST, CUG_ESPEC_SHAPE, 2, "of 7x7x2 and 'input' of 9x9x2"},
        {"input 4x4x1\nflatten as f\nlinear 16\nfrom input\nconv 1 1x1\nadd f", CUG_ESPEC_SHAPE, 6, "4x4x1"},
        {"input 1x1x2147483647\nconcat input", CUG_ESPEC_LIMIT, 2, "2^31"},
        {"input 9\nlinear 4 tie=b", CUG_ESPEC_NAME, 2, "called 'b'"},
        {"input 9\nlinear 4 tie=input", CUG_ESPEC_NAME, 2, "no parameters"},
        {"input 9\nrelu\nlinear 4 tie=relu1", CUG_ESPEC_NAME, 3, "kind is activation"},
        {"input 9\nlinear 9\nlinear 4 tie=fc1", CUG_ESPEC_SHAPE, 3, "9x9"},
        {"input 9\nlinear 9\nlinear 9 tie=fc1 bias=no", CUG_ESPEC_VALUE, 3, "no place"},
        {"input 9\nlinear 9\nlinear 9 tie=fc1 init=he", CUG_ESPEC_VALUE, 3, "no place"},
        {"input 4x4x2\nflatten\nlinear 32 as a\nlinear 32 tie=a", CUG_ESPEC_SHAPE, 4, "flattened"},
        {"input 9\nresidual", CUG_ESPEC_BRACE, 2, "'{' is missing"},
        {"input 9\nresidual relu", CUG_ESPEC_SYNTAX, 2, "takes no arguments"},
        {"input 9\nresidual {\nlinear 9\n", CUG_ESPEC_BRACE, 2, "never closed"},
        {"input 9\nresidual {\nbranch { { linear 9 }", CUG_ESPEC_BRACE, 3, "never closed"},
        {"input 9\nlinear 9 }", CUG_ESPEC_BRACE, 2, "closes nothing"},
        {"input 9\nlinear 9 {\n", CUG_ESPEC_BRACE, 2, "cannot stand here"},
        {"input 9\n{ linear 9 }", CUG_ESPEC_BRACE, 2, "before a '{'"},
        {"input 9\nresidual { }\nlinear 2", CUG_ESPEC_VALUE, 2, "double"},
        {"input 9\nresidual { linear 9 } relu", CUG_OK, 0, 0},
        {"input 9\nresidual { linear 9 } as a relu", CUG_ESPEC_SYNTAX, 2, "ends the line"},
        {"input 9\nsequence { linear 9 } as a", CUG_ESPEC_SYNTAX, 2, "a sequence cannot be named"},
        {"input 9\nbranch { { linear 9 } as a {} }", CUG_ESPEC_SYNTAX, 2, "an alternative cannot be named"},
        {"input 9\nbranch { { linear 9 } }", CUG_ESPEC_VALUE, 2, "has 1 alternative;"},
        {"input 9\nbranch { }", CUG_ESPEC_VALUE, 2, "has 0 alternatives"},
        {"input 9\nbranch {\nlinear 9\n}", CUG_ESPEC_BRACE, 3, "braces of its own"},
        {"input 9\nbranch { {} {} {} {} {} {} {} {}\n{} }", CUG_ESPEC_LIMIT, 3, "more than 8 alternatives"},
        {"input 9\nlinear 4\nfrom input\nlinear 2", CUG_ESPEC_NAME, 2, "fc1: its output never reaches"},
        {"input 9\nlinear 4 as a\nrelu as b\nfrom input\nlinear 2", CUG_ESPEC_NAME, 2, "a: its output"},
        {"input 9\nlinear 4\nfrom input", CUG_ESPEC_SYNTAX, 3, "no layer between"},
        {"input 9\nlinear 4\nloss", CUG_ESPEC_SYNTAX, 3, "the form is"},
        {"input 9\nlinear 4\nloss softmax", CUG_ESPEC_UNKNOWN, 3, "softmax_xent, bce_logits or mse"},
        {"input 9\nlinear 4\nloss mse\nrelu", CUG_ESPEC_SYNTAX, 4, "after the loss"},
        {"input 9\nlinear 4\nloss mse\nloss mse", CUG_ESPEC_SYNTAX, 4, "after the loss"},
        {"input 9\nsequence { linear 4\nloss mse }", CUG_ESPEC_SYNTAX, 3, "inside a block"},
        {I28 "\nconv 8 3x3\n# end\n", CUG_ESPEC_LOSS, 2, "conv1: the model's output is an image of 26x26x8"},
        {"input 9\nlinear 1", CUG_ESPEC_LOSS, 2, "use `loss bce_logits`"},
        {"input 9\nlinear 1\nsigmoid\nloss bce_logits", CUG_ESPEC_LOSS, 3, "0.3133"},
        {"input 9\nlinear 10\nsoftmax", CUG_ESPEC_LOSS, 3, "twice"},
        {"input 9\nlinear 10\nsoftmax\nloss softmax_xent", CUG_ESPEC_LOSS, 3, "1.4612"},
        {"input 9\nlinear 10\nsoftmax\nloss mse", CUG_ESPEC_LOSS, 3, "part of the loss"},
        {"input 9\nlinear 4 \xE2\x82\xAC", CUG_ESPEC_SYNTAX, 2, "byte 0xe2"},
        {"input 9\nlinear 4\x01", CUG_ESPEC_SYNTAX, 2, "byte 0x01"},
        {"input 10x10x1; conv 8 99x99", CUG_ESPEC_SHAPE, 2, "conv1"},
        {"input 10; residual { linear 10; linear x }", CUG_ESPEC_SYNTAX, 3, "fc2: outputs"},
        {"input 10; linear 10; relu slope=1\n", CUG_ESPEC_UNKNOWN, 1, "slope"},
        {"input 9; linear 4\nrelu a a a a a a a a a a a a a a a a a", CUG_ESPEC_LIMIT, 2, "more than 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_graph *g = (cug_graph *)&cases;
        char place[32];
        cug_status s = cug_spec_parse(&g, cases[i].text, "file");
        cr_expect_eq(s, cases[i].status, "%s\n  %s: %s", cases[i].text, cug_status_name(s), cug_error());
        cr_expect(s == CUG_OK || !g, "the graph must be NULL: %s", cases[i].text);
        if (s != CUG_OK && s == cases[i].status) {
            snprintf(place, sizeof place, "file:%d: ", cases[i].line);
            cr_expect(strncmp(cug_error(), place, strlen(place)) == 0, "not line %d: %s", cases[i].line, cug_error());
            cr_expect(strstr(cug_error(), cases[i].says), "'%s' is not in: %s", cases[i].says, cug_error());
        }
        if (s == CUG_OK) cug_graph_free(g);
    }
}

/* `head`, then `piece` n times, then `tail`. */
static char *repeat(const char *head, const char *piece, size_t n, const char *tail) {
    size_t one = strlen(piece), at = strlen(head);
    char *text = malloc(at + n * one + strlen(tail) + 1);
    cr_assert_not_null(text);
    memcpy(text, head, at);
    for (size_t i = 0; i < n; i++, at += one) memcpy(text + at, piece, one);
    memcpy(text + at, tail, strlen(tail) + 1);
    return text;
}

Test(spec, limits) {
    static const struct {
        const char *head, *piece, *tail;
        size_t n;
        cug_status status;
    } cases[] = {
        {"input 4; ", "relu\n", "linear 2", CUG_MAX_NODES - 1, CUG_OK},
        {"input 4; ", "relu\n", "linear 2", CUG_MAX_NODES, CUG_ESPEC_LIMIT},
        {"input 4; linear 2; ", "sequence {", "", 64, CUG_ESPEC_BRACE},
        {"input 4; linear 2; ", "sequence {", "", 65, CUG_ESPEC_LIMIT},
        {"input 4; linear 2; ", "residual {", "", 200000 / 10, CUG_ESPEC_LIMIT},
        {"input 4; linear 2", "\n", "", ((size_t)1 << 20) - 17, CUG_OK},
        {"input 4; linear 2", "\n", "", ((size_t)1 << 20) - 16, CUG_ESPEC_LIMIT},
        {"input 4; linear ", "9", "", 100000, CUG_ESPEC_LIMIT},
        {"input 4; ", "x", " 3", 100000, CUG_ESPEC_UNKNOWN},
        {"input 4; linear 2; ", "from fc1; from input; ", "from fc1", 40000, CUG_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].head, cases[i].piece, cases[i].n, cases[i].tail);
        cug_graph *g;
        cug_status s = cug_spec_parse(&g, text, "t");
        cr_expect_eq(s, cases[i].status, "case %zu: %s %s", i, cug_status_name(s), cug_error());
        cr_expect(s == CUG_OK || strlen(cug_error()) < 400, "case %zu: the message is %zu long", i,
                  strlen(cug_error()));
        cug_graph_free(g);
        free(text);
    }
}

Test(spec, freeze_by_name_and_pattern) {
    static const struct {
        const char *pattern, *frozen; /* one digit a segment */
        cug_status status;
    } cases[] = {
        {"conv1", "110000", CUG_OK},      {"conv*", "111100", CUG_OK},        {"*", "111111", CUG_OK},
        {"fc1*", "000011", CUG_OK},       {"conv", "000000", CUG_ESPEC_NAME}, {"relu1", "000000", CUG_ESPEC_NAME},
        {"x*", "000000", CUG_ESPEC_NAME}, {"", "000000", CUG_ESPEC_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_graph *g = parse(I28 "conv 2 3x3; relu; conv 2 3x3; flatten; linear 2");
        cr_expect_eq(cug_graph_freeze(g, cases[i].pattern), cases[i].status, "'%s'", cases[i].pattern);
        for (int s = 0; s < g->n_segments; s++)
            cr_expect_eq(g->segments[s].frozen, cases[i].frozen[s] - '0', "'%s': %s", cases[i].pattern,
                         g->segments[s].name);
        cug_graph_free(g);
    }
}

static void expect_layout(const char *text, const char *segment, cug_layout layout, int H, int W, int C) {
    cug_graph *g = parse(text);
    const cug_segment *s = 0;
    for (int i = 0; i < g->n_segments; i++)
        if (strcmp(g->segments[i].name, segment) == 0) s = &g->segments[i];
    cr_assert(s, "no %s in %s", segment, text);
    cr_expect(s->layout == layout && s->H == H && s->W == W && s->C == C, "%s: %s is %d of %dx%dx%d", text, segment,
              (int)s->layout, s->H, s->W, s->C);
    cug_graph_free(g);
}

Test(spec, layout_of_dense_weights) {
    expect_layout("input 4x3x2; flatten; linear 2", "fc1.weight", CUG_LAYOUT_O_HWC, 4, 3, 2);
    expect_layout("input 4x3x2; relu; flatten; relu; dropout 0.5; bias; linear 2", "fc1.weight", CUG_LAYOUT_O_HWC, 4, 3,
                  2);
    expect_layout("input 1x1x9; flatten; linear 2", "fc1.weight", CUG_LAYOUT_PLAIN, 0, 0, 0);
    expect_layout("input 9; linear 4; linear 2", "fc2.weight", CUG_LAYOUT_PLAIN, 0, 0, 0);
    expect_layout("input 4x3x2; flatten; residual { tanh }; linear 2", "fc1.weight", CUG_LAYOUT_O_HWC, 4, 3, 2);
    expect_layout("input 4x3x2; flatten; residual { linear 24 }; linear 2", "fc2.weight", CUG_LAYOUT_PLAIN, 0, 0, 0);
    expect_layout("input 4x3x2; flatten; branch { { relu } {} }; linear 2", "fc1.weight", CUG_LAYOUT_PLAIN, 0, 0, 0);
    expect_layout("input 4x3x2; flatten; bias; linear 2", "bias1.bias", CUG_LAYOUT_PLAIN, 0, 0, 0);
    expect_layout("input 4x3x2; conv 5 2x3; flatten; linear 2", "conv1.weight", CUG_LAYOUT_KRSC, 0, 0, 0);
}

Test(spec, segments_to_file_order_and_back) {
    cug_graph *g = parse("input 3x4x3; conv 2 2x1 bias=no; flatten; linear 2");
    const cug_segment *conv = &g->segments[0], *dense = &g->segments[1];
    int dims[CUG_MAX_DIMS];
    cr_expect_eq(cug_segment_file_dims(conv, dims), 4);
    cr_expect(dims[0] == 2 && dims[1] == 3 && dims[2] == 2 && dims[3] == 1, "OIHW");
    /* k r c: 000 001 002 010 011 012 | 100 ...; the file has k c r */
    static const float memory[12] = {0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112};
    static const float file[12] = {0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112};
    float got[12];
    cug_segment_to_file(conv, got, memory, sizeof *got);
    cr_expect_arr_eq(got, file, sizeof file);
    cug_segment_from_file(conv, got, file, sizeof *got);
    cr_expect_arr_eq(got, memory, sizeof memory);

    /* 2x4x2 flattened: 16 inputs, memory h w c, file c h w */
    cr_expect_eq(cug_segment_file_dims(dense, dims), 2);
    cr_expect(dims[0] == 2 && dims[1] == 16);
    uint16_t in[32], out[32], back[32];
    for (int i = 0; i < 32; i++) in[i] = (uint16_t)i;
    cug_segment_to_file(dense, out, in, sizeof *in);
    for (int o = 0; o < 2; o++)
        for (int c = 0; c < 2; c++)
            for (int p = 0; p < 8; p++) cr_expect_eq(out[o * 16 + c * 8 + p], o * 16 + p * 2 + c);
    cug_segment_from_file(dense, back, out, sizeof *in);
    cr_expect_arr_eq(back, in, sizeof in);
    const cug_segment *bias = &g->segments[2];
    cr_expect(cug_segment_file_dims(bias, dims) == 1 && dims[0] == 2 && dims[1] == 1);
    cug_segment_to_file(bias, out, in, sizeof *in);
    cr_expect_arr_eq(out, in, 2 * sizeof *in);
    cug_graph_free(g);
}

Test(spec, segments_are_laid_out_aligned) {
    cug_graph *g = parse("input 4x3x2; conv 5 2x3; flatten; linear 2");
    static const struct {
        const char *name;
        size_t offset, count;
        int is_weight, fan_in, fan_out;
    } want[] = {{"conv1.weight", 0, 60, 1, 12, 30},
                {"conv1.bias", 64, 5, 0, 0, 0},
                {"fc1.weight", 128, 30, 1, 15, 2},
                {"fc1.bias", 192, 2, 0, 0, 0}};
    cr_assert_eq(g->n_segments, 4);
    for (int i = 0; i < 4; i++) {
        const cug_segment *s = &g->segments[i];
        cr_expect_str_eq(s->name, want[i].name);
        cr_expect(s->offset == want[i].offset && s->count == want[i].count && s->is_weight == want[i].is_weight, "%s",
                  s->name);
        cr_expect(s->fan_in == want[i].fan_in && s->fan_out == want[i].fan_out, "%s: %d %d", s->name, s->fan_in,
                  s->fan_out);
    }
    cr_expect(g->param_count == 97 && g->flat_count == 256);
    cug_graph_free(g);
}

/* Every ``` block of docs/SPEC.md that begins with an input is a model. */
Test(spec, examples_of_the_manual_work) {
    static char text[1 << 16];
    FILE *f = fopen("docs/SPEC.md", "rb");
    if (!f) cr_skip_test("docs/SPEC.md is not below the working folder");
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    int found = 0;
    for (char *at = text, *end; (at = strstr(at, "\n```\ninput ")); at = end + 4) {
        at += 5;
        end = strstr(at, "\n```");
        cr_assert(end, "a block without its end");
        *end = 0;
        cug_graph_free(parse(at));
        *end = '\n';
        found++;
    }
    cr_expect_geq(found, 5, "only %d examples", found);
}
