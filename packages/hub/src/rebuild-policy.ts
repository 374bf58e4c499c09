/** When a document is worth a rebuild: a pure decision on what its snapshot weighs. */
import { limits, type DocumentWeight } from '@rejoin/core'

/**
 * A document is rebuilt once its dead structs or its dead bytes are over `factor` times the live ones, and its dead bytes
 * over `bytesMin`; and, whatever is set here, once too many clients have begun at one place in it (`limits.scanStepsRebuild`).
 */
export interface RebuildPolicy {
  readonly factor: number
  readonly bytesMin: number
}

export const defaultRebuildPolicy: RebuildPolicy = { factor: 4, bytesMin: limits.rebuildBytesMin }

export function isRebuildDue(weight: DocumentWeight, { factor, bytesMin }: RebuildPolicy): boolean {
  const { liveBytes, deadBytes, liveStructs, deadStructs, scanSteps } = weight
  if (scanSteps > limits.scanStepsRebuild) return true
  if (deadBytes <= bytesMin) return false
  return deadStructs > factor * liveStructs || deadBytes > factor * liveBytes
}
