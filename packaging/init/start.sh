# shellcheck shell=sh
# What the init scripts of otpd, otpd-mail, otpd-login and otpd-web do, on boxes without systemd. They say NAME and DESC, and what
# else the daemon is started with in ARGUMENTS; and source /lib/lsb/init-functions before this.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
DAEMON=/usr/sbin/$NAME
PIDFILE=/run/$NAME.pid
# What it said since it was started. What matters goes to syslog as well.
LOG=/run/$NAME.log

[ -x "$DAEMON" ] || exit 0

running() { start-stop-daemon --status --quiet --pidfile "$PIDFILE" --exec "$DAEMON"; }

# 0: started, 1: runs already, 2: did not start. Waits until it answers, since guarded logins are refused before.
# (Not by --notify-await: that socket only root can reach, and the daemon is not root any more when it is ready.)
do_start() {
    running && return 1
    rm -f "$LOG" && (umask 077 && : >"$LOG") || return 2
    start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PIDFILE" --exec "$DAEMON" \
        --output "$LOG" -- ${ARGUMENTS-} || return 2
    tries=0
    until grep -qE "$NAME: ready(;|\$)" "$LOG"; do
        # The pid file takes a moment.
        [ "$tries" -lt 10 ] || running || break
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || break
        sleep 0.1
    done
    running && return 0
    rm -f "$PIDFILE"
    sed 's/^<[0-7]>//' "$LOG" >&2
    return 2
}

# 0: stopped, 1: did not run, 2: still runs.
do_stop() {
    start-stop-daemon --stop --quiet --retry=TERM/30/KILL/5 --remove-pidfile --pidfile "$PIDFILE" --exec "$DAEMON"
}

start() {
    log_daemon_msg "Starting $DESC" "$NAME"
    do_start
    ended $?
}

stop() {
    log_daemon_msg "Stopping $DESC" "$NAME"
    do_stop
    ended $?
}

# With a wrong configuration it would not come back; so the running one stays, with the old.
restart() {
    log_daemon_msg "Restarting $DESC" "$NAME"
    if ! said=$("$DAEMON" --check-config 2>&1); then
        log_end_msg 1
        echo "$said" >&2
        return 1
    fi
    do_stop
    if [ $? -gt 1 ]; then
        log_end_msg 1
        return 1
    fi
    do_start
    ended $?
}

reload() {
    log_daemon_msg "Reloading $DESC" "$NAME"
    start-stop-daemon --stop --quiet --signal HUP --pidfile "$PIDFILE" --exec "$DAEMON"
    log_end_msg $?
}

# Not status_of_proc, which takes whoever has the pid now for the daemon.
status() {
    running
    status=$?
    case $status in
        0) log_success_msg "$NAME is running" ;;
        1) log_failure_msg "$NAME is not running, but $PIDFILE is there" ;;
        *) log_failure_msg "$NAME is not running" ;;
    esac
    return $status
}

# That there was nothing to do is success.
ended() {
    [ "$1" -le 1 ]
    log_end_msg $?
}
