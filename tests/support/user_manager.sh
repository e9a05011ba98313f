#!/bin/bash
# Runs a command beside a real `systemd --user` in namespaces of its own, and takes all of it away.
#   user_manager.sh COMMAND [ARGUMENT...]
# Needs root and a cgroup v2 mount; exit code 77 says what is missing. systemd need not be PID 1.
set -eu
[ "$(id -u)" = 0 ] || { echo "namespaces need root" >&2; exit 77; }
[ -x /lib/systemd/systemd ] || { echo "systemd is not installed" >&2; exit 77; }
cgroup=
for mount in /sys/fs/cgroup/unified /sys/fs/cgroup; do # hybrid first, then pure v2
    if [ "$(stat -fc %T $mount 2> /dev/null)" = cgroup2fs ]; then cgroup=$mount/wakeword.$$; break; fi
done
[ -n "$cgroup" ] && mkdir "$cgroup" 2> /dev/null || { echo "no cgroup v2 to write to" >&2; exit 77; }
HOME=$(mktemp -d /tmp/home.XXXXXX)
export HOME
cleanup() {
    rm -rf "$HOME"
    for _ in $(seq 40); do
        find "$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null || sleep 0.05
        [ -d "$cgroup" ] || break
    done
}
trap cleanup EXIT

inside() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/{system,unit-root} # sd_booted(3) looks for the first
    mkdir -p -m 700 /run/user/0
    mount -t tmpfs tmpfs /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    export XDG_RUNTIME_DIR=/run/user/0 XDG_CONFIG_HOME=$HOME/.config
    unset DBUS_SESSION_BUS_ADDRESS NOTIFY_SOCKET LISTEN_FDS LISTEN_PID INVOCATION_ID
    SYSTEMD_LOG_TARGET=console setsid /lib/systemd/systemd --user --unit=basic.target \
        < /dev/null > "$HOME/log" 2>&1 &
    manager=$!
    for _ in $(seq 200); do [ -S /run/user/0/systemd/private ] && break; sleep 0.02; done
    timeout 10 systemctl --user is-system-running --wait > /dev/null || true
    result=0
    "$@" || result=$?
    [ $result = 0 ] || cat "$HOME/log" >&2
    timeout 5 systemctl --user stop '*.service' '*.socket' > /dev/null 2>&1 || true
    kill -RTMIN+24 $manager # exit now; whatever is left ends with the pid namespace
    exit $result
}
export -f inside
result=0
(
    # Joined before unsharing, so that this cgroup is the root of the new namespace.
    echo $BASHPID > "$cgroup/cgroup.procs"
    exec unshare --mount --pid --cgroup --ipc --fork --kill-child=SIGKILL --mount-proc \
        --propagation private bash -euc 'inside "$@"' inside "$@"
) || result=$?
exit $result
