#!/usr/bin/env bash
# Compares this build with the build of an earlier commit, in interleaved rounds: server CPU per message of echo servers,
# and acknowledged records per second. Needs gcc; takes about ten minutes on a quiet machine.
# Usage: tests/acceptance/compare-builds.sh COMMIT [CASES]
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=${1:?name the commit to compare with}
cases=${2:-echo,many,pipelined,large,connect}
folder=$(mktemp -d)
trap 'git worktree remove --force "$folder/source" 2>/dev/null || true; rm -rf "$folder"' EXIT
git worktree add --quiet --detach "$folder/source" "$commit"
dotnet publish "$folder/source/src/Perch.Server" -c Release -o "$folder/server" --nologo -v quiet
dotnet build tests/Perch.Benchmarks -c Release --nologo -v quiet
export PERCH_BEFORE=$folder/server
run() { dotnet tests/Perch.Benchmarks/bin/Release/net10.0/Perch.Benchmarks.dll "$@"; }
run --servers before,perch-direct --case "$cases" --rounds 9 --seconds 2
run records-before
