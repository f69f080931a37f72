#!/usr/bin/env bash
# For the soaks that do what a user does on a fresh machine: minimal Debian 12 roots, made from one
# archive that is kept for the next time. Sourced, in the root of the repository; $root is the root
# that the functions work in, and everything lies in $work, which goes when the script ends. Who
# starts a broker leaves its process in $broker.
export LC_ALL=C.UTF-8

readonly mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly base=build/soak/deb-base.tar
broker=

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}
step() { printf '== %s\n' "$*"; }

# Ends the broker, and takes everything away that was made.
leave() {
  local status=$? mounted
  trap - EXIT INT TERM
  if [[ -n $broker ]]; then
    kill -KILL "$broker" 2>/dev/null || true
    wait "$broker" 2>/dev/null || true
  fi
  if [[ $status -ne 0 ]]; then
    tail -n 40 "$work"/*.log >&2 2>/dev/null || true
  fi
  for mounted in "$work"/*/proc; do
    if mountpoint -q "$mounted"; then
      umount "$mounted" || exit 1  # never remove through a mount
    fi
  done
  rm -rf "$work"
  exit "$status"
}

begin() {
  [[ $(id -u) -eq 0 ]] || fail "chroot and debootstrap need root"
  command -v debootstrap >/dev/null || fail "needs debootstrap: apt-get install debootstrap"
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/weir-root.XXXXXX")
  readonly work
  root=$work/root
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

make_root() {
  mkdir -p "$(dirname "$base")" "$root"
  if [[ ! -s $base ]]; then
    debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log"
    tar -C "$work/base" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$work/base"
  fi
  tar -C "$root" -xf "$base"
  mount -t proc proc "$root/proc"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
}

# Nothing of this machine's environment.
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

# Waits until the command says that the broker, process $broker, is well.
wait_until_ready() { # COMMAND...
  local until=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    kill -0 "$broker" 2>/dev/null || fail "the broker ended while it started"
    ((SECONDS < until)) || fail "the broker does not get ready"
    sleep 0.1
  done
}

stop_broker() {
  local status=0
  kill -TERM "$broker"
  wait "$broker" || status=$?
  broker=
  [[ $status -eq 0 ]] || fail "the broker ended with $status"
}
