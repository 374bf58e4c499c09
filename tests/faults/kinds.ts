/** The kinds of faults that a soak goes through, each as one history. */
import type { Seeded } from '../support/seeded.ts'
import type { FaultCounts, History } from './counts.ts'
import type { Kind } from './damage/content.ts'
import { strikeAll } from './damage/striking.ts'
import { killHub } from './hub-kills.ts'
import { cutHub, cutReplica } from './power-cut/trials.ts'
import { withoutWitness } from './power-cut/witness.ts'
import { killReplica } from './replica-kills.ts'

export interface FaultKind {
  readonly run: (random: Seeded, history: History) => Promise<FaultCounts>
  /** Faults of one history: then it begins anew with empty folders. */
  readonly faults: number
  /** Why it cannot be had on this machine, or null. */
  readonly without: () => Promise<string | null>
}

const anywhere = (): Promise<null> => Promise.resolve(null)

export const faultKinds: Readonly<Record<string, FaultKind>> = {
  'hub killed': { run: killHub, faults: 10, without: anywhere },
  'replica killed': { run: killReplica, faults: 10, without: anywhere },
  'power of a hub cut': { run: cutHub, faults: 10, without: withoutWitness },
  'power of a replica cut': { run: cutReplica, faults: 10, without: withoutWitness },
  // Of each part of a folder: so many bytes flipped, and so many cuts.
  'folder of a hub damaged': { run: damage('hub'), faults: 8, without: anywhere },
  'folder of a replica damaged': { run: damage('replica'), faults: 8, without: anywhere },
}

function damage(kind: Kind): FaultKind['run'] {
  return async (random, { folder, faults }) => {
    const { struck, wrong } = await strikeAll(kind, faults, random, folder)
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
    const aborted = struck.filter(({ outcome }) => outcome === 'aborted')
    for (const { where } of aborted) console.error(`LevelDB aborted the process that read: ${where}`)
    return { faults: struck.length, opened: 2 * struck.length, acked: 0, saved: 0 }
  }
}
