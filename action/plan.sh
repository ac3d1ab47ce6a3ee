#!/usr/bin/env bash
# `command: plan`: the plan in the log, in the job's summary, and in one comment on the pull request that is kept up to
# date. A comment is for reading: nothing ever takes a digest from it.
set -euo pipefail
# shellcheck source=action/github.sh
. "${BASH_SOURCE[0]%/*}/github.sh"
permission="pull-requests: write"
yes_or_no comment "$BYOB_COMMENT"
yes_or_no refresh-only "$BYOB_REFRESH_ONLY"
whole=${#selection[@]}
select_addresses --target "$BYOB_TARGET"
select_addresses --recreate "$BYOB_RECREATE"
[ "$BYOB_REFRESH_ONLY" = false ] || selection+=(--refresh-only)
# Another part of the same configuration has a comment of its own.
part=("${selection[@]:whole}")

# Sets `comment` to the id of our comment on a pull request, or to nothing; `head` to the head of that. What somebody hid
# stays hidden, and a new one is written.
find_comment() {
  jq -n --arg repository "$GITHUB_REPOSITORY" --argjson number "$1" \
    '($repository / "/") as [$owner, $name] | {owner: $owner, name: $name, number: $number}' >"$work/variables"
  find_ours "reading the comments" comments .data.repository.pullRequest.comments '.isMinimized | not'
  head=$(jq -r '.data.repository.pullRequest.headRefOid' "$work/answer")
  comment=
  [ -z "$found" ] || comment=$(jq -r .fullDatabaseId <<<"$found")
}

# Writes the comment, unless the pull request has moved on: then the run for its new head writes it.
write_comment() {
  local number planned mark
  number=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH")
  planned=$(jq -r '.pull_request.head.sha // empty' "$GITHUB_EVENT_PATH")
  if [ -z "$number" ]; then
    say notice "no comment: this run is not about a pull request"
    return
  fi
  mark=$(marker plan "${part[@]}")
  find_comment "$number"
  if [ "$head" != "$planned" ]; then
    say notice "no comment: the pull request has a newer commit than this run planned"
    return
  fi
  {
    printf '%s\n' "$mark"
    cat -- "$work/plan.md"
    printf '\n\n<sub>Planned for %s by [this run](%s).</sub>\n' "$planned" "$run_url"
  } >"$work/body"
  jq -Rs '{body: .}' "$work/body" >"$work/payload"
  if [ -n "$comment" ]; then
    must "updating the comment" PATCH "/repos/$GITHUB_REPOSITORY/issues/comments/$comment" "$work/payload"
  else
    must "writing the comment" POST "/repos/$GITHUB_REPOSITORY/issues/$number/comments" "$work/payload"
  fi
}

# byob appends the plan as Markdown to the job's summary: here to a file of ours, so that one run gives the text for the
# log, the Markdown for people and the JSON for what follows.
summary=$GITHUB_STEP_SUMMARY
: >"$work/plan.md"
GITHUB_STEP_SUMMARY=$work/plan.md run_byob - plan "${selection[@]}" --detailed-exitcode "--out=$work/plan.json"
output exitcode "$code"
if [ ! -s "$work/plan.md" ]; then
  printf '### byob: there is no plan\n\nIt ended with %s before there was one. The log of [the run](%s) says why.\n' \
    "$code" "$run_url" >"$work/plan.md"
fi
cat -- "$work/plan.md" >>"$summary"
if [ "$BYOB_COMMENT" = true ]; then
  write_comment
fi
case $code in
  0) output has-changes false ;;
  2) output has-changes true ;;
  *) exit 1 ;;
esac
digest=$(jq -r .digest "$work/plan.json")
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "byob wrote a plan without a digest"
output digest "$digest"
