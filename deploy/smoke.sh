#!/usr/bin/env bash
# Talks to the running stack of docker-compose.yml through its published ports: every protocol, the admin endpoint, and
# Prometheus. It starts nothing and stops nothing. It deletes the files that it stores; its two records stay, since records
# are only appended:
#
#   docker compose up -d --wait && deploy/smoke.sh
set -euo pipefail

HOST=${HOST:-127.0.0.1}
failures=0

# check WHAT WANTED GOT
check() {
    if [ "$2" = "$3" ]; then
        printf 'ok    %s\n' "$1"
    else
        printf 'FAIL  %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"
        failures=$((failures + 1))
    fi
}

# talk PORT BYTES MESSAGE: sends the message and prints the first bytes of the answer, fewer where the server closes.
talk() {
    timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"; printf %s "$3" >&3; head -c "$2" <&3' "$HOST" "$@" 2> /dev/null \
        || printf '(no connection, or no answer in 5 s)'
}

# ask PORT BYTES MESSAGE: the same over UDP, with one datagram.
ask() {
    timeout 5 bash -c 'exec 3<>"/dev/udp/$0/$1"; printf %s "$3" >&3; head -c "$2" <&3' "$HOST" "$@" 2> /dev/null || printf '(no answer in 5 s)'
}

hex() { od -An -tx1 | tr -d ' \n'; }

targets() {
    curl -fsS --max-time 5 "http://$HOST:9090/api/v1/query?query=up%7Bjob%3D%22perch%22%7D" | grep -o '"[01]"\]' | tr -d '"]' || true
}

# delete NAME: prints the answer to DELETE.
delete() { talk 9995 3 "DELETE $1"$'\n'; }

unique="smoke test $$ $(date +%s%N)"
started=$(date -u +%Y%m%dT%H%M%S)
check "echo on 25000" "GOT:Hello" "$(talk 25000 9 Hello)"
check "echo-conversation on 25001" "GOT:Hello" "$(talk 25001 9 Hello)"
check "echo-blocking on 25002" "GOT:Hello" "$(talk 25002 9 Hello)"
check "echo on 25000 over UDP" "GOT:Hello" "$(ask 25000 9 Hello)"
check "bytes on 9994 over UDP" "01020304" "$(ask 9994 4 x | hex)"
check "hello on 8000" "-" "$(talk 8000 1 Zack)"
check "hello on 8000 closes at --quit--" "" "$(talk 8000 1 --quit--)"
check "reply on 9999 answers and closes" "データ送信" "$(talk 9999 100 x)"
check "bytes on 9994" "01020304" "$(talk 9994 4 '' | hex)"
check "record on 9998 stores and answers" "データ送信とDB保存完了" "$(talk 9998 100 "$unique")"
check "upload on 9993 stores without a half-close and answers" "ファイルアップロード完了" "$(talk 9993 100 "$unique")"
hash=$(printf %s "$unique" | sha256sum | cut -d' ' -f1)
# The server gives an upload the time as its name.
uploaded=$(talk 9995 100000000 "LIST uploads/ after=uploads/$started"$'\nQUIT\n' | grep " $hash " | cut -d' ' -f4)
check "files on 9995 deletes the upload" "OK" "$(delete "$uploaded" | tr -d '\n ')"
check "record on 9997 numbers lines" "OK " "$(talk 9997 3 "$unique"$'\n')"
check "files on 9995 stores" "OK 3 " "$(talk 9995 5 "PUT smoke-test-$$ 3"$'\nabc')"
check "files on 9995 gives back" "abc" "$(talk 9995 88 "GET smoke-test-$$"$'\n' | tail -c 3)"
check "files on 9995 deletes" "OK" "$(delete smoke-test-$$ | tr -d '\n ')"
curl -s -o /dev/null --max-time 5 "tftp://$HOST:6969/no-such-file" && tftp=0 || tftp=$?
check "tftp on 6969 over UDP says that there is no such file" "68" "$tftp"
check "live" "200" "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 "http://$HOST:8080/health/live")"
check "ready" "200" "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 "http://$HOST:8080/health/ready")"

# The first scrape is up to 15 seconds after the start.
for _ in $(seq 30); do
    up=$(targets)
    [ "$up" = 1 ] && break
    sleep 1
done
check "Prometheus scrapes Perch" "1" "$up"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "all passed"
