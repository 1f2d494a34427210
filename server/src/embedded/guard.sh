# The guard of a private PostgreSQL cluster: its parent, its stopper and its cleaner.
#
# Standard input is the cluster's gate, a named pipe. Every owner holds it open for writing, so the
# kernel counts the owners, whatever way they die: end of file means that the last one is gone.
# An owner asks by a line "WORD NAME"; the answer is the exit status, written to acks/NAME.
#
# usage: guard.sh BIN FOLDER SOCKETS SIGNAL AFTER SYNC [postgres argument]...
#   SIGNAL  how the database is told to stop: INT (clean) or QUIT (at once, loses nothing committed)
#   AFTER   keep or remove: what becomes of FOLDER
#   SYNC    each, once or never: how a new cluster reaches the disk
trap '' HUP INT QUIT TERM
umask 077
bin=$1 folder=$2 sockets=$3 signal=$4 after=$5 sync=$6
shift 6
postgres=

# A process id alone proves nothing after a crash, the working folder does, where /proc tells it.
runs() {
    kill -0 "$1" 2>/dev/null && { [ ! -d /proc/self ] || [ "/proc/$1/cwd" -ef "$folder/data" ]; }
}

# Moved into place when complete, so that a killed start never leaves half a cluster behind.
initialise() {
    rm -rf "$folder/data.new"
    set -- -D "$folder/data.new" -U trialogue -A trust -E UTF8 --locale=C
    case $sync in
    each) "$bin/initdb" "$@" ;;
    once) "$bin/initdb" "$@" --no-sync && { sync -f "$folder/data.new" || sync; } ;;
    never) "$bin/initdb" "$@" --no-sync ;;
    esac </dev/null >"$folder/log" 2>&1 && mv "$folder/data.new" "$folder/data"
}

start() {
    [ -d "$sockets" ] || mkdir -m 700 "$sockets" || return 1
    cd "$folder/data" || return 1
    "$bin/postgres" -D "$folder/data" -k "$sockets" "$@" </dev/null >"$folder/log" 2>&1 &
    postgres=$!
    cd /
}

while read -r word name; do
    status=0
    case $word in
    initialise) initialise || status=$? ;;
    start) start "$@" || status=$? ;;
    alive) runs "$postgres" || status=$? ;;
    esac
    echo "$status" >"$folder/acks/$name"
done

# The gate stays open on purpose: whoever comes now sees a guard that does not answer, and waits.
[ -n "$postgres" ] || read -r postgres <"$folder/data/postmaster.pid" || postgres=
turns=0 # of about 50 ms: 15 s as asked, 15 s of QUIT, then KILL
while [ -n "$postgres" ] && runs "$postgres"; do
    turns=$((turns + 1))
    if [ "$turns" -gt 600 ]; then
        kill -KILL "$postgres"
    elif [ "$turns" -gt 300 ]; then
        kill -QUIT "$postgres"
    else
        kill -"$signal" "$postgres"
    fi
    # Not every `sleep` knows fractions.
    sleep 0.05 2>/dev/null || sleep 1
done
rm -rf "$sockets" "$folder"/acks/*
[ "$after" = keep ] || rm -rf "$folder"
