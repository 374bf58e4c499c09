/** Which commits of a record the room's own sessions pushed: they are acknowledged, and need not get their bytes back. */
import { commitName, type CommitId } from '@rejoin/core'
import { type Member } from './member.ts'
import { type LoggedCommit } from './record.ts'

/** What the sessions pushed of a record's commits, in these very bytes: by their places in it. */
export type OwnCommits = ReadonlyMap<Member, readonly number[]>

/** A record's commits, found by their names: where one is not ours, or comes once more. */
export class LandedCommits {
  readonly commits: readonly LoggedCommit[]
  #places: Map<string, number> | null = null

  constructor(commits: readonly LoggedCommit[]) {
    this.commits = commits
  }

  /** -1 where it is none of them. */
  placeOf(id: CommitId): number {
    this.#places ??= new Map(this.commits.map((commit, place) => [commitName(commit.id), place]))
    return this.#places.get(commitName(id)) ?? -1
  }
}

export function addOwn(own: Map<Member, number[]>, member: Member, place: number): void {
  const places = own.get(member)
  if (places === undefined) own.set(member, [place])
  else places.push(place)
}
