#!/usr/bin/env bash
# The one gate: everything that must hold before a change goes in. People and CI run this same script.
#
#   tools/test.sh
#   EXPLORE_SECONDS=1500 KILL_SECONDS=600 tools/test.sh   # look for longer
#   EXPLORE_SEED=42 tools/test.sh                         # another fixed seed
#
# Needs Rust (rustup's stable, with rustfmt and clippy) and a C compiler for the bundled SQLite. Changes nothing
# outside the build folder and the temporary folder. It stops at the first failure, and it names what it leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."

# How long the testers look. With less than these they miss their floors, and the gate fails.
EXPLORE_SECONDS=${EXPLORE_SECONDS:-150} # shared by two seeds of all workloads
EXPLORE_SEED=${EXPLORE_SEED:-1}
EXPLORE_WORKLOADS=${EXPLORE_WORKLOADS:-"random tight copies several compaction lost-copy descriptor seq"}
KILL_SECONDS=${KILL_SECONDS:-60}
FAULT_SECONDS=${FAULT_SECONDS:-60}
DAMAGE_SECONDS=${DAMAGE_SECONDS:-60}
MODEL_SECONDS=${MODEL_SECONDS:-60}
RACE_SECONDS=${RACE_SECONDS:-30}
MOUNT_SECONDS=${MOUNT_SECONDS:-30}
FSX_OPERATIONS=${FSX_OPERATIONS:-50000}
FILL_CYCLES=${FILL_CYCLES:-20}
FRESH_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')

passed=()
notes=()
skipped=()
current=preparation
logs=$(mktemp -d)

summary() {
    local status=$?
    trap - EXIT
    # What still runs beside a step that failed.
    kill $(jobs -p) 2>/dev/null || true
    # What a step said last may still be on its way.
    sleep 1
    printf '\n==> Summary (%d s in all)\n' "$SECONDS"
    for line in "${passed[@]+"${passed[@]}"}"; do printf '  ok       %s\n' "$line"; done
    for line in "${notes[@]+"${notes[@]}"}"; do printf '           %s\n' "$line"; done
    for line in "${skipped[@]+"${skipped[@]}"}"; do printf '  left out %s\n' "$line"; done
    if [ "$status" -eq 0 ]; then
        printf 'All checks passed.\n'
    else
        printf '  FAILED   %s (exit code %d); what comes after it was not run\n' "$current" "$status"
        # Whoever is only shown the end of this needs what the step said.
        printf '           It said:\n'
        tail -n 40 "$logs/step" 2>/dev/null | cut -c 1-1000 | sed 's/^/           /'
    fi
    rm -rf "$logs"
    exit "$status"
}
trap summary EXIT

# step NAME COMMAND...: runs it, and stops here when it fails.
step() {
    current=$1
    shift
    printf '\n==> %s\n    %s\n' "$current" "$*"
    local began=$SECONDS
    # Not a pipe: the step sets variables of this shell.
    "$@" > >(tee "$logs/step") 2>&1
    passed+=("$(printf '%-48s %4d s' "$current" $((SECONDS - began)))")
}

# meanwhile NAME COMMAND...: begins it, to run beside the steps that follow until `finish NAME`.
meanwhile() {
    "${@:2}" >"$logs/$1" 2>&1 &
    echo $! >"$logs/$1.pid"
}

# finish NAME: waits for what runs meanwhile, and shows what it said.
finish() {
    local status=0
    wait "$(cat "$logs/$1.pid")" || status=$?
    cat "$logs/$1"
    return "$status"
}

# need COMMAND... -- HINT: refuses with the hint unless the command works.
need() {
    local command=()
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    if ! "${command[@]}" >/dev/null 2>&1; then
        printf 'tools/test.sh: "%s" does not work here: %s\n' "${command[*]}" "$2" >&2
        exit 1
    fi
}

tools_present() {
    need cargo --version -- 'install Rust from https://rustup.rs'
    need cargo fmt --version -- 'rustup component add rustfmt'
    need cargo clippy --version -- 'rustup component add clippy'
    if ! command -v cc >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        printf 'No C compiler, which the bundled SQLite needs: installing gcc.\n'
        apt-get install -y gcc libc6-dev || { apt-get update && apt-get install -y gcc libc6-dev; }
    fi
    need cc --version -- 'Rust links with it, and SQLite is compiled from C; on Debian and Ubuntu: sudo apt-get install gcc libc6-dev'
}

# Volumes are mounted where that is possible; who is not root needs fusermount3 for it, and some tests do.
fuse_present() {
    if [ -e /dev/fuse ] && ! command -v fusermount3 >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        printf 'No fusermount3: installing fuse3.\n'
        apt-get install -y fuse3 || { apt-get update && apt-get install -y fuse3; } ||
            skipped+=('tests that need fusermount3: fuse3 could not be installed')
    fi
}

# The rig judges many thousand disks: it is built for speed, and so is the command that it runs.
build_rig() {
    nice cargo test --locked --no-run --profile rig -p anyfs-lvm-rig
    nice cargo build --locked --profile rig -p anyfs-lvm-tools
}

tests() {
    cargo test --locked --no-run --workspace --exclude anyfs-lvm-rig --all-features
    # Tests often wait for the disk.
    meanwhile build build_rig
    cargo test --locked --workspace --exclude anyfs-lvm-rig --all-features 2>&1 | tee "$logs/test"
    finish build
    cargo test --locked --profile rig -p anyfs-lvm-rig 2>&1 | tee -a "$logs/test"
    local counts
    counts=$(awk '/^test result:/ { ok += $4; left += $8 } END { print ok " tests passed, " left " marked as ignored" }' "$logs/test")
    notes+=("$counts")
    # Tests that cannot do their work here say so in a line that starts like this.
    while IFS= read -r line; do skipped+=("$line"); done < <(sed -n 's/^SKIPPED: *//p' "$logs/test" | sort -u)
}

# rig PROGRAM ARGUMENT...: one of the rig's programs; what it says last is kept.
rig() {
    program "$@" 2>&1 | tee "$logs/rig"
    said "$1" "$logs/rig"
}

program() {
    cargo run --locked --profile rig --quiet -p anyfs-lvm-rig --bin "$1" -- "${@:2}"
}

# finish_rig PROGRAM: one of them that runs meanwhile.
finish_rig() {
    finish "$1"
    said "$1" "$logs/$1"
}

# said NAME LOG: keeps the last line of a log, which may be that it was left out.
said() {
    local last
    last=$(tail -n 1 "$2" | sed 's/^ *//')
    if [[ $last == SKIPPED:* ]]; then skipped+=("${last#SKIPPED: }"); else notes+=("$1: $last"); fi
}

# explore SEED: crashes of the real engine on a recorded disk, some seconds of each workload.
explore() {
    local workloads seconds least
    read -ra workloads <<<"$EXPLORE_WORKLOADS"
    seconds=$(((EXPLORE_SECONDS / 2 + ${#workloads[@]} - 1) / ${#workloads[@]}))
    for workload in "${workloads[@]}"; do
        # Changes of the descriptor take longer to judge: volumes are opened, and changes done again.
        least=300
        if [ "$workload" = descriptor ]; then least=200; fi
        rig explore --workload "$workload" --seed "$1" --seconds "$seconds" --at-least "$least"
    done
}

target_directory() {
    cargo metadata --locked --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

# An example, as it was built with the tests.
example() {
    "$(target_directory)/debug/examples/$1"
}

# The anyfs-lvm command, built as the rig is: its path is in $command.
build_command() {
    cargo build --locked --profile rig -p anyfs-lvm-tools
    command=$(target_directory)/rig/anyfs-lvm
}

# with_command PROGRAM ARGUMENT...: one that runs the command, too.
with_command() {
    local command
    build_command
    rig "$@" --command "$command"
    # What it could not do here it says in lines that start like this; `said` knows of the last one.
    while IFS= read -r line; do skipped+=("$line"); done < <(sed -n '$!s/^SKIPPED: *//p' "$logs/rig")
}

fsx() {
    local command
    build_command
    tools/fsx.sh "$command" "$FSX_OPERATIONS" "$1"
}

msrv() {
    local version
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if command -v rustup >/dev/null && rustup toolchain list | grep -q "^$version"; then
        step "oldest supported Rust, $version" \
            cargo "+$version" check --locked --workspace --all-targets --all-features
    else
        skipped+=("oldest supported Rust: toolchain $version is not installed (rustup toolchain install $version)")
    fi
}

step 'tools' tools_present
step 'what mounting needs' fuse_present
step 'format' cargo fmt --all --check
step 'lints' cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
step 'tests' tests
step 'example library_use' example library_use
step 'example growing_pool' example growing_pool
step 'crash rig' cargo build --locked --profile rig -p anyfs-lvm-rig
step "crash explorer, fixed seed $EXPLORE_SEED" explore "$EXPLORE_SEED"
step "crash explorer, fresh seed $FRESH_SEED" explore "$FRESH_SEED"
step 'faults of the disk' rig faults --seconds "$FAULT_SECONDS" --at-least 500
step 'damaged files' rig damage --seconds "$DAMAGE_SECONDS" --at-least 600
step 'model of a volume' rig machine --seconds "$MODEL_SECONDS" --at-least 200
# These wait more than they work: two at a time.
meanwhile killloop program killloop --owners 2 --seconds "$KILL_SECONDS" --at-least 60
step 'owners that are stopped and taken over' rig zombies --seconds "$RACE_SECONDS" --at-least 4
step 'kill -9 on real files' finish_rig killloop
meanwhile fsx fsx "$FRESH_SEED"
step 'commands that race' with_command races --seconds "$RACE_SECONDS" --at-least 150
step 'kill -9 of the owner of a mount' with_command mountkills --seconds "$MOUNT_SECONDS" --at-least 10
# Before disks are filled in mount namespaces of their own, which keep what is mounted while they are there.
step "fsx on a mount, fresh seed $FRESH_SEED" finish_rig fsx
step 'full disks' with_command fill --seed 1 --cycles "$FILL_CYCLES" --at-least "$FILL_CYCLES"
step 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --all-features
msrv
skipped+=('measurements (speed, cold reads, 10 GiB, 200,000 files): run by hand, see tools/; they need time, room and root')
skipped+=('instruction counts of the hot paths (tools/bench/instructions.sh): recorded for one compiler and processor')
skipped+=('the comparison with other stores (tools/bench/test.sh, tools/bench/compare.sh): a workspace of its own')
if [ "$(id -u)" -eq 0 ]; then
    skipped+=('what needs a user without rights (refused permissions): root may do everything')
fi
current=end
