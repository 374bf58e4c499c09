/** A lossy "look": the log says what. One process may do without; several hubs over one store need it to be prompt. */
import type { Namespace } from '../ids.ts'

export interface HubSignals {
  publish(namespace: Namespace): void
  listen(listener: (namespace: Namespace) => void): () => void
}

export const noSignals: HubSignals = {
  publish: () => {},
  listen: () => () => {},
}
