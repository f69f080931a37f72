#!/usr/bin/env bash
# For the soaks that run in portions: each portion has a seed of its own and prints "name number"
# lines, which are added to build/soak/NAME.totals. What is stopped goes on with the next portion;
# delete the file to begin anew. Sourced, in the root of the repository.

# The number of KEY in a totals file; 0 where there is none.
total_of() { # FILE KEY
  awk -v key="$2" '$1 == key { n = $2 } END { print n + 0 }' "$1" 2>/dev/null || echo 0
}

# Adds a portion's output. slowest_… and largest_… keep the larger, …_min the smaller number.
add_totals() { # FILE OUTPUT
  awk '
    !/^[a-z0-9_]+ +[0-9]+$/ { next }
    !($1 in n) { order[++count] = $1; n[$1] = $2; next }
    $1 ~ /^(slowest|largest)_/ { if ($2 > n[$1]) n[$1] = $2; next }
    $1 ~ /_min$/ { if ($2 < n[$1]) n[$1] = $2; next }
    { n[$1] += $2 }
    END { for (i = 1; i <= count; ++i) printf "%-28s %.0f\n", order[i], n[order[i]] }
  ' "$1" "$2" >"$1.new"
  mv "$1.new" "$1"
}

# Runs COMMAND --dir DIR --seed N until KEY has come to UNTIL. A portion that fails adds nothing;
# its directory stays.
run_portions() { # NAME KEY UNTIL COMMAND...
  local name=$1 key=$2 until=$3
  shift 3
  local file=build/soak/$name.totals dir output seed
  mkdir -p build/soak
  [[ -e $file ]] || printf 'since %s, commit %s\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)" >"$file"
  dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-$name-XXXXXX")
  output=build/soak/$name.last
  while (($(total_of "$file" "$key") < until)); do
    seed=$(($(total_of "$file" portions) + 1))
    if ! "$@" --dir "$dir/run" --seed "$seed" >"$output"; then
      cat "$output"
      printf 'soak %s: seed %s failed; what it left is in %s\n' "$name" "$seed" "$dir/run" >&2
      return 1
    fi
    printf 'portions 1\n' >>"$output"
    head -n 1 "$file" >"$file.head"
    add_totals "$file" "$output"
    cat "$file" >>"$file.head" && mv "$file.head" "$file"
    printf '%s: %s of %s %s\n' "$name" "$(total_of "$file" "$key")" "$until" "$key"
  done
  rm -rf "$dir"
  cat "$file"
}
