# The wake service for Home Assistant and satellites:
#   docker build --tag wakeword . && docker run --publish 10400:10400 wakeword
# For other words or settings: --volume ./config.yaml:/etc/wakeword/config.yaml:ro

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev python3-venv
COPY . /source
RUN python3 -m venv /opt/wakeword && /opt/wakeword/bin/pip install --no-cache-dir '/source[zeroconf]'

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/* \
    && useradd --system wakeword
COPY --from=build /opt/wakeword /opt/wakeword
USER wakeword
EXPOSE 10400
HEALTHCHECK CMD ["/opt/wakeword/bin/python", "-c", "import socket; s = socket.create_connection(('127.0.0.1', 10400), 5); s.sendall(b'{\"type\":\"ping\"}\\n'); assert b'pong' in s.recv(99)"]
ENTRYPOINT ["/opt/wakeword/bin/wakeword"]
CMD ["serve", "--uri", "tcp://0.0.0.0:10400", "--allow-lan"]
