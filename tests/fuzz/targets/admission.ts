/**
 * Admission at a hub: strange pushes of replicas that are new to it. Each is answered once, with an acknowledgement or a code;
 * members of the same namespace and of another go on, and read what the hub's log says.
 */
import { isErrorCode, type PushedCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { encodeUp } from '@rejoin/transport'
import type { Seeded } from '../../support/seeded.ts'
import { Author } from '../author.ts'
import { HubWorld, Member, type Line } from '../hub-world.ts'
import { strangeMessage } from '../messages.ts'
import { struck } from '../strange-bytes.ts'
import { strangeUpdate, type Known } from '../strange-updates.ts'
import { hex, type Progress, type Target } from '../target.ts'

/** Strange commits of one replica, where none is taken: then it has no place any more and another one comes. */
const perReplica = 12
/** Between two honest commits of the members. */
const perHonest = 25

export const admission: Target = {
  name: 'admission',
  inputs: 1_000,
  growthBytesMax: 16 * 2 ** 20,
  async run(random, progress) {
    const world = new HubWorld()
    const here = await members(world, random, 'here', 2)
    const there = await members(world, random, 'elsewhere', 1)
    let stranger: Stranger | null = null
    for (let n = 0; n < admission.inputs; n++) {
      if (n % perHonest === 0) for (const member of [...here, ...there]) await member.write()
      stranger ??= await Stranger.come(world, random, here)
      const goesOn = await stranger.strike(random, progress)
      progress.over()
      if (goesOn) continue
      stranger.line.close()
      stranger = null
    }
    // What was under way for them arrives with what they write last.
    for (const member of [...here, ...there]) await member.write()
    await world.check('elsewhere', there)
    await settled(here)
    await world.check('here', here)
    await world.close()
  },
}

async function members(
  world: HubWorld,
  random: Seeded,
  namespace: string,
  count: number,
): Promise<readonly Member[]> {
  const made: Member[] = []
  for (let i = 0; i < count; i++) {
    const line = await world.line(new Author(random, world.clock), namespace).caughtUp()
    const member = new Member(line, random)
    await member.write(15)
    made.push(member)
  }
  return made
}

/** All of a namespace have heard what each of them wrote last. */
async function settled(all: readonly Member[]): Promise<void> {
  for (const { line } of all)
    await line.push([line.author.commit([{ type: 'OwnerSet', owner: line.author.replica }])])
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

class Stranger {
  readonly line: Line
  readonly #known: Known
  readonly #honest: PushedCommit
  #left = perReplica

  private constructor(line: Line, known: Known, honest: PushedCommit) {
    this.line = line
    this.#known = known
    this.#honest = honest
  }

  /** It holds what the members hold, so that what it writes builds on theirs. */
  static async come(world: HubWorld, random: Seeded, here: readonly Member[]): Promise<Stranger> {
    const [member] = here
    if (member === undefined) throw new Error('nobody is here')
    const line = await world.line(new Author(random, world.clock), 'here').caughtUp()
    line.hear()
    let honest = line.author.someCommit(random)
    // A commit without bytes would be no way to strange ones.
    for (let tries = 0; honest.update.length === 0 && tries < 20; tries++)
      honest = line.author.someCommit(random)
    const known = yjsCrdt.updates.readStateVector(member.line.author.doc.stateVector())
    return new Stranger(line, known, { ...honest, counter: 1, prev: 0 })
  }

  /** False: it was taken, or sent away, or has struck often enough. */
  async strike(random: Seeded, progress: Progress): Promise<boolean> {
    const commit = this.#strange(random)
    const epoch = random.chance(0.03) ? random.pick([null, 1, 2 ** 40]) : this.line.epoch
    progress.begin(() => `${JSON.stringify({ ...commit, update: hex(commit.update) })}`)
    if (!canBeSaid(epoch, commit)) {
      progress.ended('cannot be said')
      return true
    }
    const answers = await this.line.push([commit], epoch)
    for (const answer of answers) {
      progress.ended(answer)
      const isFine =
        answer === 'Ack' || answer === 'closed' || (isErrorCode(answer) && answer !== 'HUB_INTERNAL')
      if (!isFine) throw new Error(`answered with ${answer}`)
    }
    return answers.every((answer) => answer !== 'Ack' && answer !== 'closed') && --this.#left > 0
  }

  #strange(random: Seeded): PushedCommit {
    const { update } = this.#honest
    const drawn = random.unit()
    if (drawn < 0.6) return { ...this.#honest, update: strangeUpdate(random, update, this.#known) }
    if (drawn < 0.7) return { ...this.#honest, update: struck(random, update) }
    // Its shape is right, so that the wire lets it through.
    const { ops, ...fields } = strangeMessage(random, { ...this.#honest }) as PushedCommit
    return { ...fields, ops: Array.isArray(ops) && ops.length > 0 ? ops : this.#honest.ops }
  }
}

/** What no writer can say, the codec's own target says in bytes. */
function canBeSaid(epoch: number | null, commit: PushedCommit): boolean {
  try {
    encodeUp({ type: 'Push', epoch, commits: [commit] })
    return true
  } catch {
    return false
  }
}
