/**
 * How many client ids a document may have before it is folded and weighed again. Wherever a new one begins, every reader may
 * have to pass all that stands there already (`HAZARDS.md` E1, C7), and only a document tells how much that is. So between two
 * checkpoints it is taken for all there is: honest documents are found to cost next to nothing, and others are rebuilt.
 */
import { limits, type DocumentWeight } from '@rejoin/core'

export interface WeighedClients {
  /** Client ids that the newest checkpoint holds; 0 where there is none. */
  readonly clients: number
  readonly snapshotBytes: number
  /** Of that checkpoint, where it was made here. */
  readonly weight: DocumentWeight | null
  /** Of what came after it. */
  readonly bytesAfter: number
}

/** The next client id is let in where there are fewer; 0: none is, until the document was rebuilt. */
export function clientsMax(weighed: WeighedClients): number {
  const { clients, weight } = weighed
  if (weight !== null && weight.scanSteps > limits.scanStepsMax) return 0
  return clients + freshMax(weighed)
}

/** Whether so many have begun that they are worth a look at what they cost. */
export function isWeighingDue(weighed: WeighedClients, clientCount: number): boolean {
  return 2 * (clientCount - weighed.clients) >= freshMax(weighed)
}

function freshMax({ snapshotBytes, weight, bytesAfter }: WeighedClients): number {
  const bytes = bytesAfter + (weight === null ? snapshotBytes : 0)
  const runs = (weight === null ? 0 : weight.liveStructs + weight.deadStructs) + bytes / limits.runBytesMin
  // Those that begin pass each other too.
  const max = Math.min(limits.freshScanStepsMax / Math.max(1, runs), Math.sqrt(limits.freshScanStepsMax))
  return Math.max(limits.freshClientsMin, Math.floor(max))
}
