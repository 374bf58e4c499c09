/**
 * What the requests under way may hold together, since each alone may hold much: so many at once, and so many bytes. At the
 * bytes' bound whoever holds most has to go, not whoever comes last: large requests cannot keep small ones out.
 */
import { SyncError } from '@rejoin/core'

export const intakeBounds = {
  /** Bytes of bodies, all requests under way together: two of the largest. */
  bytesMax: 64 * 1024 * 1024,
  /** Requests that are read or answered at once. */
  exchangesMax: 256,
} as const

export type IntakeBounds = { readonly [Name in keyof typeof intakeBounds]: number }

/** Milliseconds after which a refused caller should try again; a request that is read takes less. */
const RETRY_AFTER_MS = 1_000

/** RATE_LIMITED since the hub has no room, whoever asks: HTTP 503, where too much of one caller is 429. */
export class NoRoom extends SyncError {
  constructor(why: string) {
    super('RATE_LIMITED', `${why}: try again in ${RETRY_AFTER_MS} ms`, { retryAfterMs: RETRY_AFTER_MS })
  }
}

export class Intake {
  readonly #bounds: IntakeBounds
  readonly #places = new Set<Place>()
  #bytes = 0

  constructor(bounds: IntakeBounds = intakeBounds) {
    this.#bounds = bounds
  }

  /** Bytes held now; never above the bound. */
  get bytes(): number {
    return this.#bytes
  }

  get exchanges(): number {
    return this.#places.size
  }

  /**
   * A place for a request that says it has `announced` bytes (0: it does not say).
   * @throws NoRoom while there are too many, or where it would be the one that has to go.
   */
  enter(announced: number): Place {
    const { bytesMax, exchangesMax } = this.#bounds
    if (this.#places.size >= exchangesMax) throw new NoRoom(`${exchangesMax} exchanges are under way`)
    const largest = this.#largest()?.bytes ?? 0
    if (this.#bytes + announced > bytesMax && announced > largest) throw tooManyBytes(bytesMax)
    const place = new Place(this)
    this.#places.add(place)
    return place
  }

  // From here on: what its places call.

  make(room: number, forPlace: Place): void {
    const { bytesMax } = this.#bounds
    while (this.#bytes + room > bytesMax && forPlace.stands) {
      const largest = this.#largest()
      const leaves = largest !== null && largest.bytes > forPlace.bytes + room ? largest : forPlace
      leaves.evict(tooManyBytes(bytesMax))
    }
  }

  changed(bytes: number): void {
    this.#bytes += bytes
  }

  forget(place: Place): void {
    this.#places.delete(place)
  }

  #largest(): Place | null {
    let largest: Place | null = null
    for (const place of this.#places) if (largest === null || place.bytes > largest.bytes) largest = place
    return largest
  }
}

/** One request under way, from its head to the end of its answer. */
export class Place {
  /** Called at once when it has to go: whatever it holds must be let go. */
  onEvicted: (why: NoRoom) => void = () => {}
  readonly #intake: Intake
  #bytes = 0
  #stands = true

  constructor(intake: Intake) {
    this.#intake = intake
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether it may go on. */
  get stands(): boolean {
    return this.#stands
  }

  /** Makes room for `bytes` more. Whoever has to go for it may be this one. */
  hold(bytes: number): void {
    this.#intake.make(bytes, this)
    if (this.#stands) this.#change(bytes)
  }

  /** Its bytes are no longer in memory. */
  release(): void {
    this.#change(-this.#bytes)
  }

  /** It is answered, or its caller has gone. Idempotent. */
  leave(): void {
    this.#stands = false
    this.#intake.forget(this)
    this.release()
  }

  evict(why: NoRoom): void {
    this.#stands = false
    this.release()
    this.onEvicted(why)
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#intake.changed(bytes)
  }
}

function tooManyBytes(bytesMax: number): NoRoom {
  return new NoRoom(`the requests under way hold ${bytesMax} bytes together`)
}
