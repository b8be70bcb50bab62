#include "cli/cli.h"
int cmd_info(int a,char**b){(void)a;(void)b;return 1;}
