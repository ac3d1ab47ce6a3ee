# shellcheck shell=bash disable=SC2034 # what is set here is read by those who source it
# What the commands of the action share: byob run with its words kept out of the runner's ears, outputs, and GitHub's API.
# Sourced, never run. Nothing from outside is ever part of a script: it comes in variables and files.

here=${BASH_SOURCE[0]%/*}
: "${RUNNER_TEMP:?}" "${GITHUB_OUTPUT:?}" "${GITHUB_STEP_SUMMARY:?}" "${GITHUB_REPOSITORY:?}" "${GITHUB_RUN_ID:?}"
work=$(mktemp -d "$RUNNER_TEMP/byob-XXXXXXXX")
trap 'rm -rf "$work"' EXIT

# byob and what it starts never see the token.
token=${BYOB_GITHUB_TOKEN:-}
unset BYOB_GITHUB_TOKEN

# What the job needs for its requests, for the error that says that it lacks it.
permission=

run_url="${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"

random() {
  head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

# An annotation. What is said here is ours; line ends and percent signs are escaped all the same.
say() {
  local kind=$1 text=$2
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  printf '::%s title=byob::%s\n' "$kind" "$text"
}

die() {
  say error "$1"
  exit 1
}

# An output of the step. The delimiter is drawn by lot, so no value can end it and write another output.
output() {
  local name=$1 value=$2 end
  end=byob-$(random)
  printf '%s<<%s\n%s\n%s\n' "$name" "$end" "$value" "$end" >>"$GITHUB_OUTPUT"
}

yes_or_no() {
  local name=$1 value=$2
  case $value in
    true | false) ;;
    *) die "$name is \`true\` or \`false\`" ;;
  esac
}

# The flags that say of what it is the plan, the same for plan and apply. Addresses hold no spaces.
selection=("--config=$BYOB_CONFIG" --no-input --color=never)
select_addresses() {
  local flag=$1 address addresses
  read -r -d '' -a addresses <<<"$2" || true
  for address in "${addresses[@]}"; do
    selection+=("$flag=$address")
  done
}

# Shows a file in the log as what it is: text, in which no line is a command to the runner.
show() {
  local stop
  stop=$(random)
  printf '::stop-commands::%s\n' "$stop"
  cat -- "$1"
  printf '\n::%s::\n' "$stop"
}

# Runs byob and sets `code`. All that it says stands in the log as it comes, in which no line is a command to the runner;
# byob's own annotations are let through behind it. Data goes to the file that is named first, or to the log for `-`.
# A cancelled job asks byob to stop, and byob finishes its running calls and saves.
run_byob() {
  local data=$1 stop reader pid
  shift
  stop=$(random)
  mkfifo "$work/said"
  tee "$work/log" <"$work/said" &
  reader=$!
  printf '::stop-commands::%s\n' "$stop"
  if [ "$data" = - ]; then
    byob "$@" >"$work/said" 2>&1 &
  else
    byob "$@" >"$data" 2>"$work/said" &
  fi
  pid=$!
  # GitHub sends INT, and TERM 7.5 s later; byob takes a second signal for "stop at once", so it is given the first alone.
  trap 'trap "" INT TERM; kill -TERM "$pid" 2>/dev/null || true' INT TERM
  code=0
  wait "$pid" || code=$?
  while kill -0 "$pid" 2>/dev/null; do
    code=0
    wait "$pid" || code=$?
  done
  trap - INT TERM
  wait "$reader"
  rm "$work/said"
  printf '\n::%s::\n' "$stop"
  grep -E '^::(error|warning|notice) ' "$work/log" || true
}

# One request to GitHub's API: `api METHOD PATH [FILE]`. Sets `status`, and leaves the answer in $work/answer. The token
# and the payload are never arguments. Only what changes nothing is tried again: a GET, and a QUERY, which is a POST that
# GraphQL answers.
api() {
  local method=$1 url=$GITHUB_API_URL$2 options=()
  if [ "$method" = QUERY ]; then
    method=POST
    url=$2
    options+=(--retry 3 --retry-connrefused)
  fi
  [ -n "$token" ] || die "github-token is empty: $method $url needs it"
  options+=(--silent --show-error --max-time 60 --request "$method" --output "$work/answer" --write-out '%{http_code}')
  options+=(--header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28')
  if [ "$method" = GET ]; then
    options+=(--retry 3 --retry-connrefused)
  fi
  if [ $# -gt 2 ]; then
    options+=(--header 'Content-Type: application/json' --data-binary "@$3")
  fi
  status=$(curl "${options[@]}" --config - -- "$url" <<<"header = \"Authorization: Bearer $token\"") ||
    die "GitHub's API does not answer at $url"
}

# Insists on an answer of 2xx.
must() {
  local what=$1
  shift
  api "$@"
  case $status in
    2*) return ;;
  esac
  local message
  message=$(jq -r '.message // empty' "$work/answer" 2>/dev/null) || message=
  case $status in
    403 | 404) die "$what: GitHub answered $status $message; does the job have \`permissions: {$permission}\`?" ;;
  esac
  die "$what: GitHub answered $status $message"
}

# One GraphQL query, by the name of its file; its variables are in a file too.
graphql() {
  local what=$1 query=$2 variables=$3
  jq -n --rawfile query "$here/$query.graphql" --slurpfile variables "$variables" '{query: $query, variables: $variables[0]}' >"$work/query"
  must "$what" QUERY "${GITHUB_GRAPHQL_URL:-$GITHUB_API_URL/graphql}" "$work/query"
  if jq -e 'has("errors")' "$work/answer" >/dev/null; then
    die "$what: $(jq -r '[.errors[].message] | join("; ")' "$work/answer")"
  fi
}

# Looks for ours in a list that a query pages through: the first node that this very token wrote, that begins with $mark,
# and for which a filter of jq's is true. `find_ours WHAT QUERY LIST FILTER`; the query's variables are in $work/variables.
# Sets `found`, the node or nothing; the last page stays in $work/answer.
find_ours() {
  local what=$1 query=$2 list=$3 filter=$4 after=null
  while :; do
    jq --argjson after "$after" '. + {after: $after}' "$work/variables" >"$work/page"
    graphql "$what" "$query" "$work/page"
    found=$(jq -c --arg mark "$mark" \
      "first($list.nodes[] | select(.viewerDidAuthor and (.body | startswith(\$mark)) and ($filter))) // empty" \
      "$work/answer")
    [ -z "$found" ] || return 0
    jq -e "$list.pageInfo.hasNextPage" "$work/answer" >/dev/null || return 0
    after=$(jq "$list.pageInfo.endCursor" "$work/answer")
  done
}

# The hidden line by which a comment or issue is found again: what it is about, of which configuration, and of which part
# of it. `marker KIND [FLAG...]`
marker() {
  local kind=$1 path=$BYOB_CONFIG
  shift
  [ "$BYOB_WORKING_DIRECTORY" = . ] || path=$BYOB_WORKING_DIRECTORY/$path
  jq -nr --arg kind "$kind" --arg path "$path" --arg part "$*" \
    '"<!-- byob-action:\($kind):\($path | @uri)\(if $part == "" then "" else ":" + ($part | @uri) end) -->"'
}
