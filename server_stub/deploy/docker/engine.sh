#!/usr/bin/env bash
# A Docker engine for tests, out of Debian's own packages, beside whatever else the machine runs.
#
#   engine.sh start     install what is missing, close the way out, start dockerd, make the base image; may be repeated
#   engine.sh stop      remove every container, stop dockerd; data stays, so that the next start is quick
#   engine.sh status    exit 0 when it answers
#   engine.sh address   print its DOCKER_HOST
#
# Everything lives below SANDKIT_CACHE. Needs root. No container reaches anything but its own bridge and this
# machine, and the engine itself finds no registry: both doors are closed before the first container can run.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${SANDKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandkit}/docker
socket=$home/run/docker.sock
pidfile=$home/run/dockerd.pid
log=$home/dockerd.log
base_image=sandkit/busybox:1
guard=SANDKIT-GUARD
packages=(docker.io iptables busybox-static)

export DOCKER_HOST=unix://$socket
# Debian's own client: another one in the path may be too new for Debian's engine.
docker() { /usr/bin/docker "$@"; }

fail() {
  printf 'engine: %s\n' "$*" >&2
  exit 1
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "engine: installing ${missing[*]}"
  {
    apt-get update
    # Installing starts no engine: there is no service manager here, or its policy says so for this one call.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${missing[@]}"
  } >"$home/apt.log" 2>&1 || fail "apt could not install ${missing[*]}: $(tail -n 3 "$home/apt.log")"
}

# dockerd keeps a DOCKER-USER chain that it finds, so the guard stands before the engine does. Only packets that come
# from a container are looked at: to its own bridge they may go, anywhere else they are refused. Nothing is ever taken
# out, so that there is no moment without it.
close_the_way_out() {
  chain "$guard"
  rule append "$guard" -j REJECT --reject-with icmp-net-unreachable
  chain DOCKER-USER
  local bridge
  for bridge in docker0 br-+; do
    rule insert "$guard" -o "$bridge" -j RETURN
    rule insert DOCKER-USER -i "$bridge" -j "$guard"
  done
}

chain() { iptables -w -n -L "$1" >/dev/null 2>&1 || iptables -w -N "$1"; }

rule() { # append|insert chain rule…
  local how=$1
  shift
  iptables -w -C "$@" 2>/dev/null || iptables -w "--$how" "$@"
}

guarded() {
  iptables -w -C FORWARD -j DOCKER-USER 2>/dev/null && iptables -w -C DOCKER-USER -i docker0 -j "$guard" 2>/dev/null &&
    iptables -w -C "$guard" -j REJECT --reject-with icmp-net-unreachable 2>/dev/null
}

write_configuration() {
  mkdir -p "$home/run" "$home/bin"
  install -m 755 "$here/runc_bounded.py" "$home/bin/runc-bounded"
  # The default name server is one that no container has: nobody's questions leave the machine.
  cat >"$home/run/daemon.json" <<JSON
{
  "hosts": ["unix://$socket"],
  "data-root": "$home/data",
  "exec-root": "$home/run/exec",
  "pidfile": "$pidfile",
  "storage-driver": "overlay2",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "default-runtime": "bounded",
  "runtimes": {"bounded": {"path": "$home/bin/runc-bounded"}},
  "dns": ["127.0.0.1"],
  "dns-opts": ["timeout:1", "attempts:1"],
  "ip": "127.0.0.1",
  "log-opts": {"max-size": "1m"}
}
JSON
}

answers() { [ -S "$socket" ] && docker version >/dev/null 2>&1; }

running() { [ -f "$pidfile" ] && [ "$(cat "/proc/$(cat "$pidfile")/comm" 2>/dev/null)" = dockerd ]; }

start_daemon() {
  local other
  other=$(pidof dockerd || true)
  [ -z "$other" ] || fail "another dockerd runs (pid $other). Two would fight over the packet filter: stop that one first"
  rm -f "$pidfile" "$socket"
  # Port 9 of loopback answers nobody: a pull of an image that is not here fails at once, and asks nobody outside.
  env -u http_proxy -u https_proxy -u all_proxy HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 \
    NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1 \
    setsid nohup /usr/sbin/dockerd --config-file "$home/run/daemon.json" >"$log" 2>&1 </dev/null &
  local tries
  for tries in $(seq 150); do
    answers && return
    [ "$tries" -lt 10 ] || running || break
    sleep 0.2
  done
  fail "dockerd does not answer. The end of $log: $(tail -n 5 "$log")"
}

# One static program under many names, from this machine's own package: no registry has to be asked for an image.
make_base_image() {
  docker image inspect "$base_image" >/dev/null 2>&1 && return
  local root applet
  root=$(mktemp -d "$home/run/image.XXXXXX")
  mkdir -p "$root"/{bin,dev,etc,proc,root,srv,sys,tmp,usr/bin,var}
  chmod 1777 "$root/tmp"
  cp /bin/busybox "$root/bin/busybox"
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  ln -s ../../bin/env "$root/usr/bin/env"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c . |
    docker import -c 'ENV PATH=/bin:/usr/bin' -c 'CMD ["/bin/sh"]' - "$base_image" >/dev/null
  rm -rf "$root"
}

start() {
  [ "$(id -u)" = 0 ] || fail "starting an engine needs root"
  mkdir -p "$home/run"
  install_packages
  close_the_way_out
  if ! answers; then
    write_configuration
    start_daemon
  fi
  guarded || fail "the way out is not closed (iptables -L DOCKER-USER); nothing is started"
  make_base_image
  echo "engine: $(docker version --format '{{.Server.Version}}') at $DOCKER_HOST, base image $base_image"
}

stop() {
  if answers; then
    docker ps --all --quiet | xargs --no-run-if-empty /usr/bin/docker rm --force --volumes >/dev/null
  fi
  running || return 0
  local pid tries
  pid=$(cat "$pidfile")
  kill "$pid"
  for tries in $(seq 100); do
    running || return 0
    sleep 0.2
  done
  fail "dockerd (pid $pid) does not end"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) answers && guarded ;;
  address) echo "$DOCKER_HOST" ;;
  *) fail "usage: engine.sh start|stop|status|address" ;;
esac
