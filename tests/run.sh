#!/bin/sh
# Runs every check: ruff, mypy, pytest with coverage. Arguments go to pytest (which then runs without the coverage gates).
#
#   DIMSE_VENV  where the environment lives (default .venv-test)
#   PYTHON      the Python 3.11 or newer that makes it (default python3)
#   CI          when set, a peer program that is missing fails the run instead of skipping its tests
set -eu
cd "$(dirname "$0")/.."
venv=${DIMSE_VENV:-.venv-test}
python=${PYTHON:-python3}
packages="dcmtk orthanc tshark strace"
PATH=$PATH:/usr/sbin

say() { printf '== %s\n' "$*"; }
die() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }

have_peers() {
    for program in storescp dcmqrscp dump2dcm Orthanc tshark strace; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

# Root installs directly, anybody else only where sudo asks no question.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=sudo
    fi
    log=$(mktemp)
    # RUNLEVEL=1: where there is no systemd this keeps Debian from starting an Orthanc of its own.
    if { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -q -y --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 15 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

install_peers() {
    have_peers && return
    say "installing $packages"
    # shellcheck disable=SC2086
    if apt_install $packages && have_peers; then return; fi
    [ -z "${CI:-}" ] || die "the peer programs are missing and could not be installed: apt-get install $packages"
    say "interop tests will be skipped; to run them: apt-get install $packages"
}

make_environment() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is older than Python 3.11; set PYTHON"
    wanted=$(cat pyproject.toml; "$python" -V; pwd)
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made-for" 2>/dev/null)" = "$wanted" ] && return
    say "making $venv"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" 2>/dev/null; then # Debian keeps ensurepip in a package of its own
        apt_install python3-venv || die "cannot make an environment: apt-get install python3-venv"
        "$python" -m venv "$venv"
    fi
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[test]'
    printf '%s\n' "$wanted" >"$venv/made-for"
}

install_peers
make_environment

say "ruff"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .

say "mypy --strict"
folders=
for folder in pdu dimse tests fuzz bench; do
    if [ -d "$folder" ]; then folders="$folders $folder"; fi
done
# shellcheck disable=SC2086
"$venv/bin/mypy" --strict $folders

say "pytest"
if [ $# -gt 0 ]; then exec "$venv/bin/python" -m pytest "$@"; fi
exec "$venv/bin/python" -m pytest -p tests.gates --cov --cov-report=term
