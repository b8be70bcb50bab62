# peers.mk - the same work in other frameworks, in turn with ours (bench/peers/README.md).
#   make bench-peers [PEERS_ARGS="--record NAME --skip tinygrad"]
PEERS_ENV  ?= $(BUILD)/peers-venv
PEERS_ARGS ?=

.PHONY: bench-peers
# The environment is made once; other versions make it anew.
$(PEERS_ENV)/.made: bench/peers/requirements.txt
	@echo "  VENV    $(PEERS_ENV)"
	@bench/peers/setup $(PEERS_ENV)
	@touch $@

bench-peers: $(BIN) $(PEERS_ENV)/.made
	@onednn=; if $(MAKE) --no-print-directory $(BUILD)/bench/onednn_peer >$(BUILD)/onednn_peer.log 2>&1; then onednn="--onednn $(BUILD)/bench/onednn_peer"; \
	  else echo "bench-peers: oneDNN is left out: its program was not built ($(BUILD)/onednn_peer.log)"; fi; \
	  PYTHONDONTWRITEBYTECODE=1 $(PEERS_ENV)/bin/python bench/peers/run.py --cuglyph $(BIN) $$onednn $(PEERS_ARGS)

$(BUILD)/bench/onednn_peer: bench/peers/onednn_peer.c
	@mkdir -p $(@D); echo "  LINK    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CSTD) $(CFLAGS) $(LDFLAGS) -o $@ $< -ldnnl
