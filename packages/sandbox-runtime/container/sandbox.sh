#!/bin/sh
# sandbox runtime | code: the two containers of a sandbox's pod, from one image. The supervisor's Node may be executed but
# not read, which keeps programs of the same user from tracing it; SIGUSR1 would open its debugger.
case "$1" in
  runtime) exec /opt/sandbox/bin/supervisor --disable-sigusr1 /opt/sandbox/runtime/main.mjs ;;
  code)
    export SANDBOX_LAUNCHER=/opt/sandbox/bin/launch SANDBOX_NODE=/usr/local/bin/node
    exec /opt/sandbox/bin/supervisor --disable-sigusr1 /opt/sandbox/runtime/code-main.mjs
    ;;
  *) echo "usage: sandbox runtime|code" >&2 && exit 64 ;;
esac
