// The log as a stream of ops: lines, and events that stay live.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { anyone } from '@rejoin/hub'
import type { IntentsOp } from '@rejoin/intents'
import { GatewayWorld, type Json, type Native } from './world.ts'
import { EventReader } from './event-reader.ts'

const added = (i: number): IntentsOp => ({ type: 'IntentAdded', id: `i${i}`, phrasesByLang: {} })

let world: GatewayWorld
let replica: Native
let sync: () => Promise<void>

beforeEach(async () => {
  world = await GatewayWorld.open({ retention: { commits: 5 } })
  ;({ replica, sync } = await world.native())
})
afterEach(() => world.close())

async function add(from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    replica.apply(added(i))
    await sync()
  }
}

async function lines(query: string): Promise<Json[]> {
  const { status, text } = await world.send('GET', `/v1/support/ops${query}`)
  expect(status).toBe(200)
  expect(text === '' || text.endsWith('\n')).toBe(true)
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Json)
}

describe('lines', () => {
  test('one a commit, with all that the log says of it', async () => {
    await add(1, 2)
    const [first, second, ...more] = await lines('')
    expect(more).toEqual([])
    expect(first).toEqual({
      kind: 'commit',
      seq: 1,
      replica: replica.id,
      counter: 1,
      hlc: expect.stringMatching(/^.{14}$/) as string,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      principal: 'anyone',
      epoch: expect.any(Number) as number,
      domainVersion: 1,
      ops: [added(1)],
    })
    expect(second).toMatchObject({ seq: 2, counter: 2, ops: [added(2)] })
  })

  test('commits that were logged together have one seq, and come together', async () => {
    for (const i of [1, 2, 3]) replica.apply(added(i))
    await sync()
    const all = await lines('?after=0')
    expect(all.map(({ counter }) => counter)).toEqual([1, 2, 3])
    expect(await lines(`?after=${String(all.at(-1)?.['seq'])}`)).toEqual([])
  })

  test('begin after the seq that is given, and pages join without a seam', async () => {
    await add(1, 4)
    expect((await lines('?after=2')).map(({ seq }) => seq)).toEqual([3, 4])
    expect(await lines('?after=4')).toEqual([])
  })

  test('a rebuild is told as what it is', async () => {
    await add(1, 1)
    await world.hub.rebuild('support')
    await sync()
    await add(2, 2)
    const all = await lines(`?after=${replica.status.cursor!.seq - 2}`)
    expect(all.map(({ kind }) => kind)).toEqual(['rebuild', 'commit'])
    expect(all[0]).toMatchObject({ epoch: all[1]?.['epoch'], digest: expect.any(String) as string })
  })

  test('what was dropped is a gap, and says from where there is something', async () => {
    await add(1, 20)
    await world.hub.checkpoint('support')
    const { status, json } = await world.send('GET', '/v1/support/ops?after=1')
    expect({ status, error: json['error'], after: json['after'], head: json['head'] }).toEqual({
      status: 410,
      error: 'REVISION_GAP',
      after: 1,
      head: 20,
    })
    const floor = json['floor'] as number
    expect((await lines(`?after=${floor}`)).map(({ seq }) => seq)[0]).toBe(floor + 1)
  })

  test.each([
    ['?after=-1', 400, 'INPUT_INVALID'],
    ['?after=x', 400, 'INPUT_INVALID'],
    ['?after=99999999999999999999', 400, 'INPUT_INVALID'],
    ['?after=9', 409, 'HISTORY_DIVERGED'],
  ])('what is no place in the log is refused: %s', async (query, status, error) => {
    await add(1, 1)
    const answer = await world.send('GET', `/v1/support/ops${query}`)
    expect({ status: answer.status, error: answer.json['error'] }).toEqual({ status, error })
  })

  test.each([
    ['/v1/nowhere/ops', 404, 'NAMESPACE_UNKNOWN'],
    ['/v1/No%20name/ops', 400, 'NAMESPACE_INVALID'],
  ])('so is a namespace that is none: %s', async (path, status, error) => {
    const answer = await world.send('GET', path)
    expect({ status: answer.status, error: answer.json['error'] }).toEqual({ status, error })
  })
})

describe('events', () => {
  test('what is there, then what comes, each record with its seq as the id', async () => {
    await add(1, 2)
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops?after=1`)
    expect(await events.next()).toMatchObject({ id: '2', json: { kind: 'commit', seq: 2, ops: [added(2)] } })
    await add(3, 3)
    expect(await events.next()).toMatchObject({ id: '3', json: { seq: 3, ops: [added(3)] } })
    events.close()
  })

  test('[8] whoever resumes with the last id misses nothing and hears nothing twice', async () => {
    await add(1, 1)
    const url = `${world.hub.url}/v1/support/ops`
    const first = await EventReader.open(url)
    const { id } = await first.next()
    first.close()
    await add(2, 4)
    const second = await EventReader.open(url, { 'last-event-id': id ?? '' })
    await add(5, 5)
    const seqs = []
    for (let i = 0; i < 4; i++) seqs.push((await second.next()).json['seq'])
    expect(seqs).toEqual([2, 3, 4, 5])
    second.close()
  })

  test('of a record of several commits only the last event moves the id', async () => {
    for (const i of [1, 2]) replica.apply(added(i))
    await sync()
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops`)
    const [first, second] = [await events.next(), await events.next()]
    expect([first.json['seq'], second.json['seq']]).toEqual([1, 1])
    expect([first.id, second.id]).toEqual([null, '1'])
    events.close()
  })

  test('what was dropped is told as an event that says from where it goes on', async () => {
    await add(1, 20)
    await world.hub.checkpoint('support')
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops?after=1`)
    const gap = await events.next()
    expect(gap).toMatchObject({ event: 'gap', json: { after: 1 } })
    const floor = gap.json['floor'] as number
    expect(gap.id).toBe(String(floor))
    expect((await events.next()).json['seq']).toBe(floor + 1)
    events.close()
  })

  test('a closing hub ends the stream with a word', async () => {
    await add(1, 1)
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops?after=1`)
    const closed = world.hub.close()
    expect(await events.next()).toMatchObject({ event: 'end', json: { code: 'HUB_CLOSING' } })
    expect(await events.ended()).toBe(true)
    await closed
    await world.restart()
  })

  test('a sign-in that is taken back ends the stream', async () => {
    await add(1, 1)
    const revoked = new AbortController()
    const principal = { ...anyone, id: 'a', name: 'a', revoked: revoked.signal }
    await world.restart({ authenticate: () => principal })
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops?after=1`, { 'x-api-key': 'k' })
    revoked.abort()
    expect(await events.next()).toMatchObject({ event: 'end', json: { code: 'UNAUTHENTICATED' } })
    expect(await events.ended()).toBe(true)
  })

  test('so does losing the right to read, before anything more is told', async () => {
    await add(1, 1)
    let mayRead = true
    const reader = { ...anyone, id: 'reader', name: 'reader', canRead: () => mayRead }
    await world.restart({
      authenticate: ({ headers }) => (headers.get('x-api-key') === 'reader' ? reader : anyone),
    })
    const events = await EventReader.open(`${world.hub.url}/v1/support/ops`, { 'x-api-key': 'reader' })
    expect((await events.next()).json['seq']).toBe(1)
    mayRead = false
    const corrections = [{ namespace: 'support', query: 'q', wrong_intent: 'x', right_intent: 'i1' }]
    const { json } = await world.post('/api/sync', { corrections }, { 'x-api-key': 'writer' })
    expect(json['corrections_applied']).toBe(1)
    expect(await events.next()).toMatchObject({ event: 'end', json: { code: 'FORBIDDEN' } })
    expect(await events.ended()).toBe(true)
  })

  test('and lines end with a word of why, before the page that may not be read', async () => {
    await add(1, 1)
    const revoked = new AbortController()
    let asked = 0
    const loser = { ...anyone, id: 'loser', name: 'loser', canRead: () => ++asked === 1 }
    const leaver = { ...anyone, id: 'leaver', name: 'leaver', revoked: revoked.signal, canRead: leave }
    function leave(): boolean {
      revoked.abort()
      return true
    }
    await world.restart({
      authenticate: ({ headers }) => (headers.get('x-api-key') === 'loser' ? loser : leaver),
    })
    for (const [key, code] of [
      ['loser', 'FORBIDDEN'],
      ['leaver', 'UNAUTHENTICATED'],
    ] as const) {
      const { text } = await world.send('GET', '/v1/support/ops?after=0', undefined, { 'x-api-key': key })
      expect(JSON.parse(text.trim())).toMatchObject({ kind: 'end', code })
    }
  })

  test('a reader that comes and goes leaves nothing behind', async () => {
    await add(1, 1)
    for (let i = 0; i < 600; i++) {
      const events = await EventReader.open(`${world.hub.url}/v1/support/ops`)
      await events.next()
      events.close()
      await events.gone()
    }
    // More than there may be at once.
    expect((await lines('')).length).toBe(1)
  })
})
