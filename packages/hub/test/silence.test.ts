/** Peers that say nothing, or hear nothing. */
import { expect, test } from 'vitest'
import { limits, type CloseReason, type DownMessage, type HubChannel, type UpMessage } from '@rejoin/core'
import { anyone } from '../src/index.ts'
import { Author, NAMESPACE, openWorld, pass, settle } from './world.ts'

/** A peer that says nothing. */
class SilentChannel implements HubChannel {
  readonly sent: DownMessage[] = []

  get backlogBytes(): number {
    return 0
  }

  readonly bill = { bytesUp: 0, bytesDown: 0 }
  readonly oneShot = false
  readonly closed: Promise<CloseReason>
  #close: (reason: CloseReason) => void = () => {}

  constructor() {
    this.closed = new Promise((resolve) => (this.#close = resolve))
  }

  send(message: DownMessage): void {
    this.sent.push(message)
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  receive(): Promise<UpMessage | null> {
    return this.closed.then(() => null)
  }

  end(): void {}

  close(reason: CloseReason = { code: null, message: 'closed' }): void {
    this.#close(reason)
  }
}

test('[14] a channel that does not greet in time is closed', async () => {
  const world = openWorld()
  const channel = new SilentChannel()
  const session = world.hub.accept(channel, anyone)
  await pass(world.clock, limits.answerMsMax - 200)
  expect(world.hub.metrics().sessions).toBe(1)
  await pass(world.clock, 400)
  await session
  expect(await channel.closed).toMatchObject({ code: 'TIMED_OUT' })
  expect(channel.sent).toMatchObject([{ type: 'Closing', code: 'TIMED_OUT' }])
})

/** A peer that says the same again and again, and takes nothing of what it is told. */
class DeafChannel extends SilentChannel {
  heard = 0
  readonly #greeting: UpMessage
  readonly #push: UpMessage

  constructor(greeting: UpMessage, push: UpMessage) {
    super()
    this.#greeting = greeting
    this.#push = push
  }

  /** As if each message down had 200 bytes. */
  override get backlogBytes(): number {
    return this.sent.length * 200
  }

  override drained(): Promise<void> {
    return this.backlogBytes === 0 ? Promise.resolve() : this.closed.then(() => {})
  }

  override async receive(): Promise<UpMessage | null> {
    // Pushes of 100 MB of answers: a hub that reads them all would end here, not in time.
    if (this.heard > 2_000) return await super.receive()
    return this.heard++ === 0 ? this.#greeting : this.#push
  }
}

test('[14] a peer that does not take its answers is not heard any further, and closed in time', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const greeting: UpMessage = {
    type: 'Hello',
    namespace: NAMESPACE,
    domain: 'notes',
    domainVersion: 1,
    replica: ada.replica,
    cursor: null,
    ackedCounter: 0,
    capabilities: ['delta'],
  }
  const commit = ada.note('milk')
  const commits = Array.from({ length: 256 }, () => ({ ...commit, ops: [{ type: 'Sung' }] }))
  const channel = new DeafChannel(greeting, { type: 'Push', epoch: null, commits })
  const session = world.hub.accept(channel, anyone)
  await settle()
  expect(channel.backlogBytes).toBeGreaterThan(limits.backlogBytesMax)
  expect(channel.backlogBytes).toBeLessThan(limits.backlogBytesMax + 2 * 256 * 200)
  const { heard } = channel
  await pass(world.clock, limits.backlogMsMax - 200)
  expect(channel.heard).toBe(heard)
  expect(world.hub.metrics().sessions).toBe(1)
  await pass(world.clock, 400)
  await session
  expect(await channel.closed).toMatchObject({ code: 'PEER_TOO_SLOW' })
  expect(channel.sent.at(-1)).toMatchObject({ type: 'Closing', code: 'PEER_TOO_SLOW' })
  expect(channel.heard).toBe(heard)
})
