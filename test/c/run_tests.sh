#!/usr/bin/env bash
# Runs the C test programs given, two or more at a time, and adds up their closing lines. Called by the Makefile.
# VARIANT: plain, asan, tsan or valgrind. OUT: folder for the logs. LIMIT: seconds a program may take (300).
set -u
cd "$(dirname "$0")" || exit 1

export LIMIT=${LIMIT:-300}
suppressions() { if [ -f "suppressions/$1" ]; then echo "suppressions=$PWD/suppressions/$1:"; fi; }
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export LSAN_OPTIONS; LSAN_OPTIONS="$(suppressions lsan)print_suppressions=0"
export TSAN_OPTIONS; TSAN_OPTIONS="$(suppressions tsan)second_deadlock_stack=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
wrap=""
if [ "$VARIANT" = valgrind ]; then
  command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 1; }
  wrap="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect --track-fds=no"
  [ -f suppressions/valgrind ] && wrap="$wrap --suppressions=$PWD/suppressions/valgrind"
  # 20 to 50 times slower: the limit in check.h is for a program at its own speed.
  export CHECK_TIMEOUT=${CHECK_TIMEOUT:-0}
fi
export WRAP=$wrap

if [ $# -eq 0 ]; then
  echo "C tests ($VARIANT): there are no test_*.c"
  echo "0 passed, 0 failed"
  exit 1
fi

run_one() {
  local start=$SECONDS rc=0
  # shellcheck disable=SC2086 # WRAP is a command with its arguments
  timeout -k 5 "$LIMIT" $WRAP "$1" >"$1.log" 2>&1 </dev/null || rc=$?
  echo "$rc $((SECONDS - start))" >"$1.rc"
}
export -f run_one
printf '%s\0' "$@" | xargs -0 -n1 -P "${JOBS:-$(getconf _NPROCESSORS_ONLN)}" bash -c 'run_one "$1"' run_one

passed=0 failed=0
for program in "$@"; do
  read -r rc seconds <"$program.rc"
  closing=$(grep -aoE '^[0-9]+ passed, [0-9]+ failed$' "$program.log" | tail -n 1)
  p=${closing%% *} f=${closing#*, } f=${f%% *}
  # A program that ends badly although its checks hold (a leak, a race, a crash, a hang) is a failure too.
  if [ "$rc" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then f=1; fi
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
  if [ "$rc" -ne 0 ]; then
    cat "$program.log"
    echo "FAILED $(basename "$program") ($VARIANT): exit status $rc$([ "$rc" -ne 124 ] || echo ", over $LIMIT s")"
  else
    echo "  $(basename "$program"): $closing, $seconds s"
  fi
done
echo "C tests ($VARIANT): $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
