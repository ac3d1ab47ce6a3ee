#!/usr/bin/env bash
# `command: drift`: what was changed outside byob, in the log, in the job's summary, and in one issue that is opened,
# kept up to date and closed. It speaks once for each drift: the issue says so, and this step is red, when there is
# something new; until then it is green. Without the issue it ends as byob does.
set -euo pipefail
# shellcheck source=action/github.sh
. "${BASH_SOURCE[0]%/*}/github.sh"
permission="issues: write"
label=byob-drift
yes_or_no issue "$BYOB_ISSUE"
yes_or_no who "$BYOB_WHO"
[ "$BYOB_WHO" = false ] || selection+=(--who)
[ -z "$BYOB_FAIL_ON" ] || selection+=("--fail-on=$BYOB_FAIL_ON")

# Sets `number` (or nothing), `state`, $work/known, the body, of our issue, which has our label, and `edited`: whether
# somebody else than its author, which is this token, changed the body last. Whoever may edit issues could write into it
# that a drift is known.
find_issue() {
  jq -n --arg repository "$GITHUB_REPOSITORY" --arg with "$label" \
    '($repository / "/") as [$owner, $name] | {owner: $owner, name: $name, "label": $with}' >"$work/variables"
  find_ours "reading the issues" issues .data.repository.issues true
  number=
  state=
  edited=false
  if [ -n "$found" ]; then
    number=$(jq -r .number <<<"$found")
    state=$(jq -r .state <<<"$found")
    edited=$(jq '(.lastEditedAt != null or .editor != null) and (.editor == null or .editor != .author)' <<<"$found")
    jq -rj .body <<<"$found" | tr -d '\r' >"$work/known"
  fi
}

# The issue is found by its label: without the right to set one, each run would open another.
insist_on_label() {
  api GET "/repos/$GITHUB_REPOSITORY/labels/$label"
  [ "$status" = 404 ] || return 0
  jq -n --arg name "$label" '{name: $name, color: "d93f0b", description: "byob found a change made outside it"}' \
    >"$work/payload"
  must "making the label $label" POST "/repos/$GITHUB_REPOSITORY/labels" "$work/payload"
}

# Writes the body, and the state where one is given.
patch() {
  jq -Rs --arg state "${1:-}" '{body: .} + if $state == "" then {} else {state: $state} end' "$work/body" >"$work/payload"
  must "updating issue $number" PATCH "/repos/$GITHUB_REPOSITORY/issues/$number" "$work/payload"
}

comment() {
  jq -Rs '{body: .}' "$1" >"$work/payload"
  must "commenting on issue $number" POST "/repos/$GITHUB_REPOSITORY/issues/$number/comments" "$work/payload"
}

# Whether the issue tells of this drift: on the second line of a body that is our own.
is_known() {
  [ "$edited" = false ] && [ "$(sed -n 2p "$work/known")" = "<!-- drift $hash -->" ]
}

# The issue says what drifts. Sets `news`: whether it had to be said. The comment comes before the body that remembers
# it: rather said twice than never.
tell() {
  news=true
  {
    printf '%s\n<!-- drift %s -->\n' "$mark" "$hash"
    # A text that is what it was may count as no edit of ours.
    [ "$edited" = false ] || printf '<!-- written again by %s -->\n' "$run_url"
    cat -- "$work/drift.md"
  } >"$work/body"
  if [ -z "$number" ]; then
    insist_on_label
    jq -Rs --arg with "$label" --arg title "byob: drift of $BYOB_CONFIG" '{title: $title, body: ., labels: [$with]}' \
      "$work/body" >"$work/payload"
    must "opening the issue" POST "/repos/$GITHUB_REPOSITORY/issues" "$work/payload"
    number=$(jq -r .number "$work/answer")
  elif ! is_known; then
    local why="The drift, or what counts of it, is another one now"
    if [ "$edited" = true ]; then
      why="The text of this issue was changed by somebody else, so what it says of the drift does not count"
    fi
    {
      printf '%s, says [this run](%s).\n\n' "$why" "$run_url"
      cat -- "$work/drift.md"
    } >"$work/said-now"
    comment "$work/said-now"
    patch open
  else
    news=false
    if [ "$state" = CLOSED ]; then
      say notice "issue $number was closed by somebody for this very drift; it stays closed until there is another one"
    elif ! cmp -s "$work/body" "$work/known"; then
      # The same drift, and more is known of it: who did it, for example.
      patch
    fi
  fi
}

# Nothing drifts: an open issue is closed.
clear_up() {
  if [ "$state" != OPEN ]; then
    # Somebody closed it, and the drift is gone: should the very same come again, it is news.
    if [ -n "$number" ] && grep -q '^<!-- drift ' "$work/known"; then
      printf '%s\nNo drift any more, says [this run](%s).\n' "$mark" "$run_url" >"$work/body"
      patch
    fi
    return
  fi
  printf 'No drift any more, says [this run](%s).\n' "$run_url" >"$work/said-now"
  comment "$work/said-now"
  { printf '%s\n' "$mark" && cat -- "$work/said-now"; } >"$work/body"
  patch closed
}

summary=$GITHUB_STEP_SUMMARY
: >"$work/drift.md"
GITHUB_STEP_SUMMARY=$work/drift.md run_byob "$work/drift.json" drift "${selection[@]}" --format=json
output exitcode "$code"
case $code in
  0 | 2) ;;
  *) exit 1 ;;
esac
[ -s "$work/drift.md" ] || die "byob wrote no summary"
show "$work/drift.md"
cat -- "$work/drift.md" >>"$summary"
drifted=$(jq '.drift | length > 0' "$work/drift.json")
output has-changes "$drifted"
[ "$BYOB_ISSUE" = true ] || exit "$code"

mark=$(marker drift)
# What makes a drift another one: what differs, and whether that is to be red, not when or by whom it was seen.
hash=$(jq -cS --arg code "$code" '[[.drift[] | {address, severity, changes}], $code]' "$work/drift.json" |
  sha256sum | cut -d' ' -f1)
find_issue
if [ "$drifted" = false ]; then
  clear_up
  exit 0
fi
tell
if [ "$news" = false ]; then
  say notice "the drift is the one that issue $number tells of"
  exit 0
fi
exit "$code"
