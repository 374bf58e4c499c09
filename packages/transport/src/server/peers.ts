/**
 * How much one principal, one address and one namespace may have open, and how much a principal may send, all its connections
 * together; where nobody signs in, an address stands for one. At a bound the newcomer is refused with RATE_LIMITED and when to
 * come back (`HAZARDS.md` G7, G8).
 */
import { limits, randomUnit, SyncError, type Clock, type SignIn } from '@rejoin/core'
import { Greetings } from './greetings.ts'
import { OutgoingBudget } from './outgoing-budget.ts'
import { defaultRates, Meter, rateTimes, ratesTimes, TokenBucket, type Rate, type Rates } from './rates.ts'

export interface PeerLimits extends Rates {
  /** Sockets and requests of one principal at once. */
  readonly connections: number
  /** Sockets and requests of one address at once, whoever signs in from it. */
  readonly connectionsPerAddress: number
  /** Channels of one namespace at once. */
  readonly connectionsPerNamespace: number
  /** Sockets and requests of one address that are being judged. */
  readonly signIns: number
  /** Sockets and requests that one address may begin. */
  readonly calls: Rate
  /** Frames of live sockets that one principal may send; above that they are read later. */
  readonly frames: Rate
  /** Bytes of messages that have not come whole yet, all sockets of one principal together. */
  readonly unfinishedBytes: number
  /** Bytes that wait for all channels of one principal, before it has to read them to be greeted again. */
  readonly outgoingBytes: number
}

export const defaultPeerLimits: PeerLimits = {
  ...defaultRates,
  connections: limits.connectionsPerPrincipalMax,
  connectionsPerAddress: limits.connectionsPerAddressMax,
  connectionsPerNamespace: limits.connectionsPerNamespaceMax,
  signIns: limits.signInsPerAddressMax,
  calls: { perSecond: limits.callsPerSecondMax, burst: limits.callsBurstMax },
  frames: { perSecond: limits.framesPerSecondMax, burst: limits.framesBurstMax },
  unfinishedBytes: limits.unfinishedBytesMax,
  outgoingBytes: limits.outgoingBytesMax,
}

/** What a connection counts for, until `leave`. */
export interface Seat {
  readonly meter: Meter
  readonly frames: TokenBucket
  readonly greetings: Greetings
  /** Counts bytes of an unfinished message; less than 0 once they are let go. @throws SyncError RATE_LIMITED */
  hold(bytes: number): void
  leave(): void
}

/** Milliseconds after which a refused caller should try again: spread, so that not all come back at once. */
const RETRY_AFTER_MS = 1_000
/** Those kept at rest before they are forgotten whose buckets are full again. */
const REST_MAX = 1_000
/** TCP connections of one address for each that it may have in use: browsers and HTTP clients keep some idle. */
const PLUGS_PER_CONNECTION = 2

interface Peer {
  readonly meter: Meter
  readonly frames: TokenBucket
  readonly greetings: Greetings
  connections: number
  unfinishedBytes: number
}

interface Caller {
  readonly bucket: TokenBucket
  /** Sockets and requests that are being judged. */
  judged: number
}

export class Peers {
  readonly #clock: Clock
  readonly #limits: PeerLimits
  /** By id of the principal, or by address. Who has left stays until its buckets are full: leaving does not fill them. */
  readonly #peers = new Map<string, Peer>()
  /** By address, likewise. */
  readonly #callers = new Map<string, Caller>()
  readonly #peersSweep = new Sweep()
  readonly #callersSweep = new Sweep()
  readonly #byAddress: Count
  readonly #byNamespace: Count
  readonly #plugs: Count
  readonly #outgoing: OutgoingBudget

  constructor(clock: Clock, given: Partial<PeerLimits> = {}) {
    this.#clock = clock
    this.#outgoing = new OutgoingBudget(clock)
    this.#limits = { ...defaultPeerLimits, ...given }
    const { connectionsPerAddress, connectionsPerNamespace } = this.#limits
    this.#byAddress = new Count(connectionsPerAddress)
    this.#byNamespace = new Count(connectionsPerNamespace)
    this.#plugs = new Count(connectionsPerAddress * PLUGS_PER_CONNECTION)
  }

  /** Principals and addresses that are remembered. */
  get count(): number {
    return this.#peers.size + this.#callers.size
  }

  /** Bytes that wait to be sent, to all of them together. */
  get outgoingBytes(): number {
    return this.#outgoing.bytes
  }

  /** A TCP connection, until the returned function is called; null where its address has too many. */
  plug(address: string | null): (() => void) | null {
    return this.#plugs.take(groupOf(address))
  }

  /** A caller is being judged until the returned function is called. @throws SyncError RATE_LIMITED */
  knock(address: string | null): () => void {
    const from = groupOf(address)
    // `enter` would refuse it, whoever it is: so nobody has to find that out.
    if (this.#byAddress.isFull(from)) throw this.#tooManyOfAddress()
    const caller = this.#callers.get(from) ?? this.#begun(from)
    if (caller.judged >= this.#limits.signIns)
      throw this.#tooMany(`${caller.judged} callers of one address are signing in`)
    const waitMs = caller.bucket.waitMs(this.#clock.now())
    if (waitMs > 0) throw this.#tooMany('one address calls too often', waitMs)
    caller.bucket.take(1)
    caller.judged++
    return once(() => {
      caller.judged--
    })
  }

  /** A connection of a principal, or of somebody at an address. @throws SyncError RATE_LIMITED */
  enter(signIn: SignIn | null, address: string | null): Seat {
    const from = groupOf(address)
    const peer = this.#peerOf(signIn, from)
    const bound = signIn === null ? this.#limits.connectionsPerAddress : this.#limits.connections
    if (peer.connections >= bound)
      throw this.#tooMany(`${signIn?.id ?? 'one address'} has ${connectionsText(peer.connections)} open`)
    const leaveAddress = this.#byAddress.take(from)
    if (leaveAddress === null) throw this.#tooManyOfAddress()
    peer.connections++
    return {
      meter: peer.meter,
      frames: peer.frames,
      greetings: peer.greetings,
      hold: (bytes) => {
        if (bytes > 0 && peer.unfinishedBytes + bytes > this.#limits.unfinishedBytes)
          throw this.#tooMany(`${peer.unfinishedBytes} bytes of messages have not come whole yet`)
        peer.unfinishedBytes += bytes
      },
      leave: once(() => {
        peer.connections--
        leaveAddress()
      }),
    }
  }

  /** A channel of a namespace, until the returned function is called. @throws SyncError RATE_LIMITED */
  join(namespace: string): () => void {
    const leave = this.#byNamespace.take(namespace)
    if (leave !== null) return leave
    throw this.#tooMany(`${namespace} has ${connectionsText(this.#limits.connectionsPerNamespace)} open`)
  }

  #peerOf(signIn: SignIn | null, from: string): Peer {
    // No principal's id begins so: they name their kind first.
    const id = signIn?.id ?? ` ${from}`
    const known = this.#peers.get(id)
    if (known !== undefined) return known
    const nowMs = this.#clock.now()
    this.#peersSweep.look(
      this.#peers,
      ({ connections, meter, frames }) => connections === 0 && meter.isFull && frames.isFull(nowMs),
    )
    const share = signIn === null ? limits.addressShareMax : 1
    const peer = {
      meter: new Meter(ratesTimes(this.#limits, share), this.#clock),
      frames: new TokenBucket(rateTimes(this.#limits.frames, share), nowMs),
      greetings: new Greetings(this.#limits.outgoingBytes * share, this.#clock, this.#outgoing),
      connections: 0,
      unfinishedBytes: 0,
    }
    this.#peers.set(id, peer)
    return peer
  }

  #begun(from: string): Caller {
    const nowMs = this.#clock.now()
    this.#callersSweep.look(this.#callers, ({ judged, bucket }) => judged === 0 && bucket.isFull(nowMs))
    const caller = { bucket: new TokenBucket(this.#limits.calls, nowMs), judged: 0 }
    this.#callers.set(from, caller)
    return caller
  }

  #tooManyOfAddress(): SyncError {
    return this.#tooMany(`${this.#limits.connectionsPerAddress} connections of one address are open`)
  }

  #tooMany(why: string, atLeastMs = RETRY_AFTER_MS): SyncError {
    const retryAfterMs = Math.round(Math.max(RETRY_AFTER_MS, atLeastMs) * (1 + randomUnit(this.#clock)))
    return new SyncError('RATE_LIMITED', `${why}: try again in ${retryAfterMs} ms`, { retryAfterMs })
  }
}

/** How many there are of each name, up to a bound. */
class Count {
  readonly #bound: number
  readonly #counts = new Map<string, number>()

  constructor(bound: number) {
    this.#bound = bound
  }

  isFull(name: string): boolean {
    return (this.#counts.get(name) ?? 0) >= this.#bound
  }

  /** Null at the bound. */
  take(name: string): (() => void) | null {
    const count = this.#counts.get(name) ?? 0
    if (count >= this.#bound) return null
    this.#counts.set(name, count + 1)
    return once(() => {
      const left = (this.#counts.get(name) ?? 0) - 1
      if (left > 0) this.#counts.set(name, left)
      else this.#counts.delete(name)
    })
  }
}

/** Forgets who is at rest each time that twice as many are remembered as were left the last time: cheap for each newcomer. */
class Sweep {
  #sizeMax = REST_MAX

  look<Each>(all: Map<string, Each>, isAtRest: (each: Each) => boolean): void {
    if (all.size < this.#sizeMax) return
    for (const [name, each] of all) if (isAtRest(each)) all.delete(name)
    this.#sizeMax = Math.max(REST_MAX, 2 * all.size)
  }
}

/** An address, or of IPv6 the network of one subscriber (/64), who has all of its addresses. */
function groupOf(address: string | null): string {
  if (address === null) return ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address
  const [before = '', after] = address.toLowerCase().split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':')
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    act()
  }
}

function connectionsText(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`
}
