/** Which namespaces of the intents domain a hub holds, and where their logs begin and end. No document is read for it. */
import { namespaceSchema, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { readRecords, type Principal } from '@rejoin/hub'
import { intents } from '@rejoin/intents'

export type NamespaceView =
  | { readonly kind: 'present'; readonly namespace: Namespace; readonly floor: Seq; readonly head: Seq }
  /** Not here, of another domain, or none that the principal may read. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'removed' }

export async function viewNamespace(
  store: HubStore,
  principal: Principal,
  name: string,
): Promise<NamespaceView> {
  const parsed = namespaceSchema.safeParse(name)
  if (!parsed.success || !principal.canRead(parsed.data)) return { kind: 'unknown' }
  const namespace = parsed.data
  const range = (await store.heads([namespace])).get(namespace)
  if (range === undefined) {
    return { kind: (await store.state(namespace)) === 'removed' ? 'removed' : 'unknown' }
  }
  const domain = await domainOf(store, namespace, range.floor)
  if (domain !== null && domain !== intents.name) return { kind: 'unknown' }
  return { kind: 'present', namespace, floor: range.floor, head: range.head }
}

/** Those that the principal may read, by name. */
export async function readableNamespaces(
  store: HubStore,
  principal: Principal,
): Promise<readonly Namespace[]> {
  const readable: Namespace[] = []
  for (const namespace of await store.namespaces()) {
    const view = await viewNamespace(store, principal, namespace)
    if (view.kind === 'present') readable.push(namespace)
  }
  return readable
}

/** As the first record that is left says; null where it was dropped meanwhile, and whoever opens the namespace will hear. */
async function domainOf(store: HubStore, namespace: Namespace, floor: Seq): Promise<string | null> {
  const reading = await readRecords(store, namespace, floor, { records: 1, bytes: 1 })
  if (reading.kind !== 'records') return null
  const { value: page } = await reading.pages.next()
  return page?.[0]?.record.domain ?? null
}
