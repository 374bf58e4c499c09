/** Lets a simulated world go on: what can run runs, what is under way arrives, and time passes when nothing else can happen. */
import type { Chance } from './chance.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** Far more than any honest wait takes, so that a world that runs in circles is told. */
const MOVES_MAX = 20_000
/** Within which everybody must have come to rest once everything works: two pauses before a reconnect, and three answers. */
const REST_MS_MAX = 180_000
/** And parcels on the way there. */
const REST_MOVES_MAX = 5_000

export class Pace {
  readonly #time: SimulatedTime
  readonly #network: SimulatedNetwork
  readonly #chance: Chance
  readonly #disks: () => readonly SimulatedDisk[]

  constructor(
    time: SimulatedTime,
    network: SimulatedNetwork,
    chance: Chance,
    disks: () => readonly SimulatedDisk[],
  ) {
    this.#time = time
    this.#network = network
    this.#chance = chance
    this.#disks = disks
  }

  /** Everything that can run without a parcel or the clock has run: a tick comes when no promise is left to be settled. */
  turn(): Promise<void> {
    return new Promise((resolve) => process.nextTick(resolve))
  }

  /** @returns how many parcels and answers of disks have arrived, `count` at most. */
  async carry(count: number): Promise<number> {
    await this.turn()
    for (let carried = 0; carried < count; carried++) {
      if (!this.#move()) return carried
      await this.turn()
    }
    return count
  }

  async carryAll(): Promise<void> {
    await this.carry(MOVES_MAX)
  }

  async pass(ms: number): Promise<void> {
    await this.#run(() => false, this.#time.now() + ms)
  }

  /** Null where it is not settled in that time. */
  async until<T>(promise: Promise<T>, ms: number): Promise<T | null> {
    let settled: { readonly value: T } | null = null
    const noted = promise.then((value) => {
      settled = { value }
    })
    await this.#run(() => settled !== null, this.#time.now() + ms)
    // `#run` awaits turns, in which it may have been set.
    const result = settled as { readonly value: T } | null
    if (result === null) return null
    await noted
    return result.value
  }

  /** @param restless who has not come to rest, a line each. @returns the same once it took too long; else nobody. */
  async comeToRest(restless: () => readonly string[]): Promise<readonly string[]> {
    const untilMs = this.#time.now() + REST_MS_MAX
    for (let moves = 0; ;) {
      const carried = await this.carry(REST_MOVES_MAX)
      moves += carried
      const left = restless()
      if (left.length === 0) return []
      if (moves > REST_MOVES_MAX) return left.map((line) => `${line}, after ${moves} parcels`)
      if (this.#time.advanceToNext(untilMs)) continue
      return left.map((line) => `${line}, after ${REST_MS_MAX} ms`)
    }
  }

  async #run(isDone: () => boolean, untilMs: number): Promise<void> {
    for (let moves = 0; ; moves++) {
      await this.turn()
      if (isDone()) return
      if (moves === MOVES_MAX) throw new Error(`the world does not come to rest in ${MOVES_MAX} moves`)
      if (!this.#move() && !this.#time.advanceToNext(untilMs)) return
    }
  }

  #move(): boolean {
    const disks = this.#disks().filter((disk) => disk.moves)
    const [disk] = disks
    // As often as the network, where there is something of both.
    if (disk === undefined || (this.#chance.isIn(50) && this.#network.carry(this.#chance)))
      return disk !== undefined || this.#network.carry(this.#chance)
    disks[this.#chance.below(disks.length)]?.step()
    return true
  }
}
