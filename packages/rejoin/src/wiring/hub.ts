/** A hub on this machine: a data folder with LevelDB, served over HTTP and WebSocket on one port. */
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { checkNamespace, SyncError, type AnyDomain, type CloseReason, type Durability } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  anyone,
  openHub,
  verifyNamespace,
  type Hub,
  type HubLogEvent,
  type HubMetrics,
  type Principal,
  type RebuildPolicy,
  type ReplicaLimits,
  type Retention,
  type VerifyReport,
} from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import {
  openHubFolder,
  refuseBackup,
  type FolderFinding,
  type HubBackup,
} from '@rejoin/persistence-level/node'
import {
  deflated,
  serveHub,
  type Authenticate,
  type PeerLimits,
  type ServerEvent,
} from '@rejoin/transport/server'
import { renewablePrincipal } from '../auth/scoped-principal.ts'
import { openSignIn } from '../auth/sign-in.ts'
import type { JwtOptions } from '../auth/token-verifier.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { ReceivedQueryLog } from '../gateway/thin-clients.ts'
import { BackupDesk, type HubBackupOptions } from './backup-desk.ts'
import { DocumentWorker } from './document-worker.ts'
import { findingEvents } from './finding.ts'
import { syncPolicyOf, type SyncChoice } from './sync-choice.ts'
import { systemClock } from './system-clock.ts'
import { tellingEvents, tellLogs } from './telling.ts'

export interface HubOptions {
  /** The data folder; made where there is none. */
  readonly data: string
  /** The domains whose namespaces this hub keeps. */
  readonly domains: readonly AnyDomain[]
  /** Default 127.0.0.1. A hub without sign-in, or without TLS, refuses to listen beyond loopback. */
  readonly host?: string
  /** Default 4400; 0 takes a free one. */
  readonly port?: number
  /**
   * How much log stays for replicas that were away: `{ commits: 1_000, bytes: 8 MiB, hours: 0 }`. Of commits and bytes the
   * one that is reached first lets older records go; what is younger than `hours` stays whatever they say.
   */
  readonly retention?: Partial<Retention>
  /**
   * When a document is rebuilt by itself: once its dead structs or bytes are over `factor` (4) times the live ones and its
   * dead bytes over `bytesMin` (64 KiB).
   */
  readonly rebuild?: Partial<RebuildPolicy> | 'never'
  /**
   * When what is written is synced to the disk; default `each batch`, before it is acknowledged. Otherwise acknowledgements
   * stand for `applied`, and replicas are told so.
   */
  readonly sync?: SyncChoice
  /** Signs in by tokens too (JWT). By API keys it does wherever the data folder holds some (`rejoin keys add`). */
  readonly jwt?: JwtOptions
  /** Finds out by itself who is asking, in place of keys and tokens. */
  readonly authenticate?: Authenticate<Principal>
  /** Origins of pages that may connect beside those of loopback, e.g. `https://app.example`. */
  readonly origins?: readonly string[]
  /** Files with a certificate chain and its key, PEM: then the URL is an `https:` one. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /**
   * A proxy in front of the hub speaks TLS; without it or `tls` the hub stays on loopback. The last address in its
   * `x-forwarded-for` is then the caller's: nobody but the proxy may reach the port.
   */
  readonly behindTlsProxy?: boolean
  /** What one principal, address or namespace may have open and send; the bounds of `limits` where left out. */
  readonly peerLimits?: Partial<PeerLimits>
  /** Bytes of one document, snapshot and log since; default `limits.documentBytesMax` (128 MiB), at most 248 MiB. */
  readonly documentBytesMax?: number
  /** Replica ids that one namespace knows, and of one principal: `{ replicasMax: 100_000, replicasPerPrincipalMax: 10_000 }`. */
  readonly replicaLimits?: Partial<ReplicaLimits>
  /** Whether thin clients are served at `/api`, as JSON; default: where the hub keeps the intents domain. */
  readonly gateway?: boolean
  /** Takes the query log that thin clients send; without it the hub accepts none of it. */
  readonly onQueryLog?: (entries: readonly ReceivedQueryLog[]) => void
  /** Hears what the hub and its server do. */
  readonly log?: (event: HubLogEvent | ServerEvent) => void
}

export interface RunningHub {
  /** Serves HTTP and WebSocket: `http://127.0.0.1:4400`. */
  readonly url: string
  /** What an acknowledgement of this hub stands for. */
  readonly durability: Durability
  /** How the data folder was found. */
  readonly found: FolderFinding
  /** Counts since it was started; what catching up has cost by path among them. */
  metrics(): HubMetrics
  /** Folds a namespace's log into a checkpoint now. @throws SyncError NAMESPACE_UNKNOWN */
  checkpoint(namespace: string): ReturnType<Hub['checkpoint']>
  /** Starts a new epoch of a namespace, made of its live entries alone. @throws SyncError NAMESPACE_UNKNOWN */
  rebuild(namespace: string): ReturnType<Hub['rebuild']>
  /** Checks every record of a namespace. @throws SyncError NAMESPACE_UNKNOWN */
  verify(namespace: string): Promise<VerifyReport>
  /**
   * Copies what the hub holds at this moment into a new folder, while it serves on; `restore` makes a hub of it. One at a time.
   * @throws SyncError INPUT_INVALID where the place is not free, STORE_FULL, STORE_UNAVAILABLE, STORE_CORRUPT.
   */
  backup(place: string, options?: HubBackupOptions): Promise<HubBackup>
  /** Tells its peers, finishes what is under way, then closes the port and the folder. */
  close(): Promise<void>
}

/**
 * @throws SyncError PORT_IN_USE, FORBIDDEN (a host beyond loopback), INPUT_INVALID, or what opening the folder throws.
 */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  const sync = syncPolicyOf(options.sync)
  refuseBackup(options.data)
  let hub: Hub | null = null
  const log = options.log === undefined ? {} : { log: options.log }
  const { authenticate, signIn } = await signInOf(options)
  const { origins, behindTlsProxy, peerLimits } = options
  const gateway = gatewayOf(options)
  // The port first: one that is taken must not leave a folder behind.
  const server = await serveHub({
    // Without sign-in everyone who reaches the port may read and write; it is loopback's alone.
    accept: (channel, principal) =>
      hub === null
        ? channel.close(starting)
        : void hub.accept(channel, principal === 'anonymous' ? anyone : principal),
    acceptPlain: (channel, request, principal) =>
      hub === null
        ? channel.close(starting)
        : void hub.acceptPlain(channel, request, principal === 'anonymous' ? anyone : principal),
    ready: () => hub !== null,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 4400,
    clock: systemClock,
    signInOf: (principal: Principal) => principal,
    renewable: renewablePrincipal,
    ...(authenticate === null ? {} : { authenticate }),
    ...(origins === undefined ? {} : { origins }),
    ...(options.tls === undefined ? {} : { tls: await readTls(options.tls) }),
    ...(behindTlsProxy === undefined ? {} : { behindTlsProxy }),
    ...(peerLimits === undefined ? {} : { peerLimits }),
    routes: gateway.routes,
    beforeClose: async () => {
      await gateway.close()
      await hub?.close()
    },
    ...log,
  })
  const opened: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    await server.close()
    signIn?.close()
    for (const part of opened.toReversed()) await part.close()
  }
  try {
    const folder = await openHubFolder(options.data, { sync })
    opened.push(folder)
    const { store, found } = folder
    for (const event of findingEvents(found, options.data, 'hub')) options.log?.(event)
    // What was lost with the power was answered: replicas that have it bring it back.
    for (const event of tellingEvents(await tellLogs(folder, systemClock))) options.log?.(event)
    const { domains } = options
    const retention = options.retention === undefined ? {} : { retention: options.retention }
    const rebuild = options.rebuild === undefined ? {} : { rebuild: options.rebuild }
    const { documentBytesMax, replicaLimits } = options
    const worker = new DocumentWorker({ clock: systemClock })
    opened.push(worker)
    const running = openHub({
      store,
      updates: yjsCrdt.updates,
      domains,
      clock: systemClock,
      heavy: worker,
      pack: deflated,
      signals: gateway.signals,
      ...(documentBytesMax === undefined ? {} : { documentBytesMax }),
      ...(replicaLimits === undefined ? {} : { replicaLimits }),
      ...retention,
      ...rebuild,
      ...log,
    })
    hub = running
    gateway.open({ store, accept: (channel, principal) => void running.accept(channel, principal) })
    const desk = await BackupDesk.open(folder, (event) => options.log?.(event))
    opened.push(desk)
    return {
      url: server.url,
      durability: store.durability,
      found,
      metrics: () => running.metrics(),
      checkpoint: async (namespace) => running.checkpoint(checkNamespace(namespace)),
      rebuild: async (namespace) => running.rebuild(checkNamespace(namespace)),
      verify: (namespace) => verifyNamespace(store, yjsCrdt.updates, checkNamespace(namespace)),
      backup: (place, how) => desk.backUp(place, how),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** @throws SyncError INPUT_INVALID */
function gatewayOf({ domains, gateway, onQueryLog, log }: HubOptions): Gateway {
  const keepsIntents = domains.includes(intents)
  if (gateway === true && !keepsIntents) {
    throw new SyncError('INPUT_INVALID', 'thin clients are of the intents domain: give it in `domains`')
  }
  return new Gateway({
    clock: systemClock,
    thinClients: gateway ?? keepsIntents,
    onQueryLog,
    onFault: (error) => log?.({ event: 'fault', error }),
  })
}

/** Of the data folder's keys and the tokens' settings, unless the app does it by itself. */
async function signInOf({ data, jwt, authenticate, log }: HubOptions) {
  if (authenticate !== undefined) return { authenticate, signIn: null }
  const signIn = await openSignIn(data, jwt ?? null, systemClock, (error) => log?.({ event: 'fault', error }))
  return { authenticate: signIn?.authenticate ?? null, signIn }
}

/** @throws SyncError INPUT_INVALID; nothing of the files is in its message. */
async function readTls({ cert, key }: { readonly cert: string; readonly key: string }) {
  try {
    const texts = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
    createSecureContext(texts)
    return texts
  } catch (error) {
    throw new SyncError('INPUT_INVALID', `${cert} and ${key} are not a certificate and its key (PEM)`, {
      cause: error,
    })
  }
}

const starting: CloseReason = {
  code: 'HUB_CLOSING',
  message: 'the hub is starting: connect again in a moment',
}
