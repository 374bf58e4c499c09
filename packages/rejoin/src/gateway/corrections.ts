/**
 * Corrections of thin clients: each becomes a commit of a replica on the hub's side, under the caller's principal, and
 * counts once the hub has acknowledged it. Sent again it changes nothing.
 */
import { asSyncError, SyncError, type HubStore } from '@rejoin/core'
import { type Principal } from '@rejoin/hub'
import { correctionOps, type CorrectionRequest } from '@rejoin/intents'
import type { Receipt } from '@rejoin/replica'
import { viewNamespace } from './namespaces.ts'
import type { GatewayReplicas, IntentsReplica } from './replicas.ts'

export interface CorrectionOutcome {
  /** The client's own name for it, where it gave one. */
  readonly id?: string
  /** `unchanged`: everything was as the correction wants it. */
  readonly status: 'applied' | 'unchanged' | 'rejected'
  readonly error?: string
  readonly message?: string
}

interface Parts {
  readonly store: HubStore
  readonly replicas: GatewayReplicas
}

/**
 * An outcome for each, in their order.
 * @throws SyncError where they may be sent again as they are: the hub is busy or closing, its store is away.
 */
export async function applyCorrections(
  { store, replicas }: Parts,
  principal: Principal,
  corrections: readonly CorrectionRequest[],
): Promise<readonly CorrectionOutcome[]> {
  const outcomes: CorrectionOutcome[] = []
  for (const [name, places] of placesByNamespace(corrections)) {
    const view = await viewNamespace(store, principal, name)
    const refused = whyRefused(view.kind === 'present', principal, name)
    if (view.kind !== 'present' || refused !== null) {
      for (const at of places) outcomes[at] = rejected(corrections[at], refused ?? unknown(name))
      continue
    }
    const given = places.flatMap((at) => corrections[at] ?? [])
    const found = await replicas.use(view.namespace, principal, (replica) => correctAll(replica, given))
    for (const [i, at] of places.entries()) {
      const outcome = found[i]
      if (outcome !== undefined) outcomes[at] = outcome
    }
  }
  return outcomes
}

async function correctAll(
  replica: IntentsReplica,
  corrections: readonly CorrectionRequest[],
): Promise<readonly CorrectionOutcome[]> {
  const tries = corrections.map((correction) => ({ correction, result: attempt(replica, correction) }))
  // Heard before anything is awaited: a refusal comes when it comes.
  const acked = tries.map(({ result }) => (isReceipt(result) ? result.acked.then(() => null, whyNot) : null))
  await replica.syncOnce()
  // Whoever asked is told below; nobody will look at it here.
  for (const { commit } of replica.rejected) await replica.discard(commit.id.counter)
  const outcomes: CorrectionOutcome[] = []
  for (const [i, { correction, result }] of tries.entries()) {
    const error = result instanceof SyncError ? result : await acked[i]
    if (error?.retryable === true) throw error
    if (error) outcomes.push(rejected(correction, error))
    else outcomes.push({ ...idOf(correction), status: isReceipt(result) ? 'applied' : 'unchanged' })
  }
  return outcomes
}

type Attempt = Receipt | 'unchanged' | SyncError

/** A correction that does not fit leaves the replica as it was. */
function attempt(
  replica: IntentsReplica,
  { query, wrong_intent: wrong, right_intent: right }: CorrectionRequest,
): Attempt {
  try {
    const ops = correctionOps(replica.tables, { query, wrong, right })
    if (ops.length === 0) return 'unchanged'
    const receipt = replica.apply(ops)
    return receipt.kind === 'commit' ? receipt : 'unchanged'
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
}

function isReceipt(result: Attempt): result is Receipt {
  return result !== 'unchanged' && !(result instanceof SyncError)
}

function whyNot(error: unknown): SyncError {
  return asSyncError(error, 'HUB_INTERNAL', 'the correction was not acknowledged')
}

function whyRefused(isPresent: boolean, principal: Principal, name: string): SyncError | null {
  if (!isPresent) return unknown(name)
  if (principal.canWrite(name)) return null
  return new SyncError('FORBIDDEN', `${principal.name} may not write to ${name}; ask for that scope`)
}

function unknown(name: string): SyncError {
  return new SyncError('NAMESPACE_UNKNOWN', `${name.slice(0, 60)} does not exist on this hub`)
}

function rejected(
  correction: CorrectionRequest | undefined,
  { code, message }: SyncError,
): CorrectionOutcome {
  return { ...idOf(correction), status: 'rejected', error: code, message }
}

function idOf(correction: CorrectionRequest | undefined): { readonly id?: string } {
  return correction?.id === undefined ? {} : { id: correction.id }
}

/** Places in the list by namespace, each in order. */
function placesByNamespace(
  corrections: readonly CorrectionRequest[],
): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>()
  for (const [i, { namespace }] of corrections.entries()) {
    const list = places.get(namespace)
    if (list === undefined) places.set(namespace, [i])
    else list.push(i)
  }
  return places
}
