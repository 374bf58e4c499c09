/** What a hub tells its operator. */
import { type Namespace } from '@rejoin/core'

export interface HubLogEvent {
  readonly level: 'info' | 'warn' | 'error'
  readonly namespace: Namespace | null
  readonly message: string
  readonly error?: unknown
}
export type HubLog = (event: HubLogEvent) => void
