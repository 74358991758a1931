#!/usr/bin/env bash
# Runs the fuzzers given for SECONDS_EACH seconds each, as many at a time as there are processors. Called by the Makefile.
# fuzz_<name> starts from the seeds in corpus/<name> and uses corpus/<name>.dict where there is one. What it finds
# worth keeping goes below OUT, so that the committed seeds stay as they are; a crash is kept there too.
set -u
cd "$(dirname "$0")" || exit 1

export OUT SECONDS_EACH
if [ $# -eq 0 ]; then
  echo "fuzz: there are no fuzz_*.c"
  exit 1
fi

run_one() {
  local name seeds work rc=0 args=()
  name=$(basename "$1") name=${name#fuzz_} seeds=corpus/$name work=$OUT/corpus/$name
  mkdir -p "$work" "$OUT/found"
  [ -f "corpus/$name.dict" ] && args+=("-dict=corpus/$name.dict")
  args+=("$work")
  [ -d "$seeds" ] && args+=("$seeds")
  # The grace covers the reading of the seeds, which libFuzzer does not count.
  timeout -k 5 $((SECONDS_EACH + 120)) "$1" "-max_total_time=$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 "-artifact_prefix=$OUT/found/$name-" "${args[@]}" >"$1.log" 2>&1 </dev/null || rc=$?
  echo "$rc" >"$1.rc"
}
export -f run_one
printf '%s\0' "$@" | xargs -0 -n1 -P "${JOBS:-$(getconf _NPROCESSORS_ONLN)}" bash -c 'run_one "$1"' run_one

passed=0 failed=0
for program in "$@"; do
  name=$(basename "$program")
  if [ "$(cat "$program.rc")" -eq 0 ]; then
    passed=$((passed + 1))
    echo "  $name: $(awk '/^stat::number_of_executed_units/ {print $2}' "$program.log") inputs in $SECONDS_EACH s"
  else
    failed=$((failed + 1))
    tail -n 60 "$program.log"
    echo "FAILED $name: exit status $(cat "$program.rc"); the input is in $OUT/found"
  fi
done
echo "fuzzers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
