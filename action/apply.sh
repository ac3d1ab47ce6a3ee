#!/usr/bin/env bash
# `command: apply`: exactly the plan with the digest that was approved, and only while this commit is what its branch
# stands for. Repeating it is harmless: what was applied under this digest is not applied again.
set -euo pipefail
# shellcheck source=action/github.sh
. "${BASH_SOURCE[0]%/*}/github.sh"
permission="contents: read"
yes_or_no refresh-only "$BYOB_REFRESH_ONLY"
select_addresses --target "$BYOB_TARGET"
select_addresses --recreate "$BYOB_RECREATE"
[ "$BYOB_REFRESH_ONLY" = false ] || selection+=(--refresh-only)

[[ $BYOB_APPROVE =~ ^sha256:[0-9a-f]{64}$ ]] ||
  die "approve must be the digest that was approved: \`sha256:\` and 64 hex digits, the output \`digest\` of the plan"

# A run that is repeated, or that waited for its approval, must not bring back what the branch has left behind.
insist_on_head() {
  local branch path head
  case ${GITHUB_REF:?} in
    refs/heads/*) branch=${GITHUB_REF#refs/heads/} ;;
    *) die "apply runs for a branch, and this run is for $GITHUB_REF" ;;
  esac
  path=$(jq -nr --arg branch "$branch" '$branch | @uri | gsub("%2F"; "/")')
  must "reading the head of the branch" GET "/repos/$GITHUB_REPOSITORY/git/ref/heads/$path"
  head=$(jq -r .object.sha "$work/answer")
  [ "$head" = "${GITHUB_SHA:?}" ] ||
    die "the branch has moved on to $head since this run began with $GITHUB_SHA; nothing was applied: approve the run for its head"
}

insist_on_head
run_byob - apply "${selection[@]}" "--approve=$BYOB_APPROVE"
output exitcode "$code"
case $code in
  0) output digest "$BYOB_APPROVE" ;;
  2)
    say error "the plan is not the approved one any more, so nothing more was written; the log shows what differs. Re-run all jobs of this run, read the new plan and approve that"
    exit 2
    ;;
  *) exit 1 ;;
esac
