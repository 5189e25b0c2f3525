# The images of sandboxes: --target sandbox-node, sandbox-python or sandbox-browser. Each holds both roles of a sandbox's
# pod, `runtime` and `code`, and one numeric user; the pod gives each container a user of its own. Nothing is written
# below / at run time. The context is the repository.
ARG BASE=docker.io/library/node:24-bookworm-slim

FROM ${BASE} AS built
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
RUN npm install --no-audit --no-fund --ignore-scripts --prefix /build/bundler esbuild@0.28.2
COPY packages/sandbox-runtime/container /build/container
COPY packages/sandbox-runtime/src /build/src
RUN mkdir -p /opt/sandbox/bin && cd /build \
  && gcc -O2 -static -Wall -Wextra -Werror -o /opt/sandbox/bin/launch container/launch.c && strip /opt/sandbox/bin/launch \
  # One file for each role: a sandbox that looks for forty modules starts 30 ms of a processor later.
  && bundler/node_modules/.bin/esbuild src/main.ts src/code-main.ts --bundle --platform=node --target=node24 --format=esm \
    --out-extension:.js=.mjs --outdir=/opt/sandbox/runtime --log-level=warning \
  && cp container/sandbox.sh /opt/sandbox/bin/sandbox \
  # Executable but not readable: what runs from such a file cannot be traced by its own user.
  && cp "$(command -v node)" /opt/sandbox/bin/supervisor \
  && chmod 0711 /opt/sandbox/bin/launch /opt/sandbox/bin/supervisor && chmod 0755 /opt/sandbox/bin/sandbox

# The runtime comes last in each image, so that a change to it installs no package again.
FROM ${BASE} AS with-node
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
  # No program in here may change its user.
  && find / -xdev -perm /6000 -type f -exec chmod a-s {} +

FROM with-node AS with-python
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 python3-numpy python3-pandas python3-matplotlib python3-openpyxl \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
  && find / -xdev -perm /6000 -type f -exec chmod a-s {} +
ENV MPLBACKEND=Agg MPLCONFIGDIR=/tmp/matplotlib

FROM ${BASE} AS browser-modules
RUN mkdir -p /opt/browser && cd /opt/browser \
  && npm install --no-audit --no-fund --ignore-scripts playwright-core@1.65.1

FROM with-python AS with-browser
# The shell, not the whole Chromium, which takes more memory than the smallest tier has.
RUN apt-get update && apt-get install -y --no-install-recommends chromium-headless-shell fonts-liberation \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
  && find / -xdev -perm /6000 -type f -exec chmod a-s {} +
COPY --from=browser-modules /opt/browser /opt/browser
# Programs find playwright-core without installing anything: require() through NODE_PATH, import by this path.
ENV NODE_PATH=/opt/browser/node_modules CHROMIUM_PATH=/usr/bin/chromium-headless-shell

FROM with-node AS sandbox-node
COPY --from=built /opt/sandbox /opt/sandbox
USER 10001:10001
WORKDIR /workspace
ENTRYPOINT ["/opt/sandbox/bin/sandbox"]

FROM with-python AS sandbox-python
COPY --from=built /opt/sandbox /opt/sandbox
USER 10001:10001
WORKDIR /workspace
ENTRYPOINT ["/opt/sandbox/bin/sandbox"]

FROM with-browser AS sandbox-browser
COPY --from=built /opt/sandbox /opt/sandbox
USER 10001:10001
WORKDIR /workspace
ENTRYPOINT ["/opt/sandbox/bin/sandbox"]
