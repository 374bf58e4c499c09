/**
 * Honest histories at a hub: authors who write, hear of each other, and push late what they wrote while they were away. None of
 * it is ever refused, and all read the same in the end.
 */
import type { PushedCommit } from '@rejoin/core'
import type { Seeded } from '../../support/seeded.ts'
import { Author } from '../author.ts'
import { HubWorld, Member, type Line } from '../hub-world.ts'
import type { Progress, Target } from '../target.ts'

export const honest: Target = {
  name: 'honest',
  inputs: 2_000,
  growthBytesMax: 16 * 2 ** 20,
  async run(random, progress) {
    const world = new HubWorld()
    const devices: Device[] = []
    for (let i = 0; i < 3; i++) {
      devices.push(new Device(await world.line(new Author(random, world.clock), 'home').caughtUp()))
    }
    // The first one makes the namespace.
    for (const device of devices) {
      device.write(random, progress)
      await device.push()
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let n = devices.length; n < honest.inputs; n++) {
      const device = random.pick(devices)
      if (random.chance(0.2)) device.line.hear()
      device.write(random, progress)
      world.clock.advance(random.whole(0, 50))
      if (random.chance(0.1)) await device.push()
    }
    for (const device of devices) await device.push()
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    await world.check(
      'home',
      devices.map(({ line }) => new Member(line, random)),
    )
    await world.close()
  },
}

class Device {
  readonly line: Line
  #unsent: PushedCommit[] = []

  constructor(line: Line) {
    this.line = line
  }

  write(random: Seeded, progress: Progress): void {
    progress.begin(() => `commit ${this.line.author.counter + 1}`)
    this.#unsent.push(this.line.author.someCommit(random))
    progress.over()
  }

  /** @throws Error where one is refused. */
  async push(): Promise<void> {
    const commits = this.#unsent
    this.#unsent = []
    for (let at = 0; at < commits.length; at += 200) {
      const answers = await this.line.push(commits.slice(at, at + 200))
      const refused = answers.findIndex((answer) => answer !== 'Ack')
      if (refused >= 0) {
        const { ops } = commits[at + refused] ?? { ops: [] }
        throw new Error(`an honest commit was answered with ${answers[refused]}: ${JSON.stringify(ops)}`)
      }
    }
  }
}
