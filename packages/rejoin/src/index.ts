/** The door of `rejoin`: everything an app needs, wired for Node. */
export { openClient, type Client, type ClientOptions } from './wiring/client.ts'
export { startHub, type HubOptions, type RunningHub } from './wiring/hub.ts'
export { systemClock } from './wiring/system-clock.ts'
export {
  defineDomain,
  Id,
  map,
  records,
  singleton,
  SyncError,
  type Conflict,
  type Domain,
  type ErrorCode,
  type OpOf,
} from '@rejoin/core'
export { openReplica, type Replica } from '@rejoin/replica'
export { intents } from '@rejoin/intents'
