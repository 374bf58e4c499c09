/**
 * What a document costs: bytes and heap after a million overwrites, loading, one set among many keys, strict reading.
 *   node --conditions=@rejoin/source --import tsx --expose-gc bench/document.ts
 */
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { HlcClock, type CrdtDocument, type Hlc, type Write } from '@rejoin/core'

const replica = 'AAAAAAAAAAAAAAAAAAAAAA'
const KEYS = 10_000
const COMMIT_WRITES = 100

console.log(`Node ${process.version}`)
overwrites(1_000_000)
for (const keys of [KEYS, 100_000]) setCost(keys)
bulk(100_000)
tail(20_000)
reading()

function overwrites(total: number): void {
  const heapBefore = heapMB()
  const stamps = stampsFrom(1)
  const document = yjsCrdt.open(2000, [])
  const ms = timeMs(() => {
    for (let done = 0; done < total; done += COMMIT_WRITES) {
      document.write(writesAt(done, COMMIT_WRITES, KEYS), stamps())
    }
  })
  const bytes = document.encode()
  report(`${total} overwrites over ${KEYS} keys in commits of ${COMMIT_WRITES}`, {
    'encoded bytes': bytes.length,
    'heap MB': heapMB() - heapBefore,
    'microseconds a write': (ms * 1000) / total,
  })
  report('  the same as a snapshot', {
    'load ms, index included': best(() => yjsCrdt.open(3000, [bytes]).destroy()),
    'first scan of all ms': best(() => {
      const loaded = yjsCrdt.open(3000, [bytes])
      return () => Array.from(loaded.scan('weights', [])).length
    }),
    'digest ms': best(() => digestOf(document)),
    'rebuild ms': best(() => yjsCrdt.updates.rebuild([bytes])),
    'rebuilt bytes': yjsCrdt.updates.rebuild([bytes]).length,
  })
}

function setCost(keys: number): void {
  const stamps = stampsFrom(1)
  const document = filled(keys, stamps)
  for (const writes of [1, COMMIT_WRITES]) {
    const commits = 3_000 / writes
    const ms = timeMs(() => {
      for (let i = 0; i < commits; i++) document.write(writesAt(i * 7919 * writes, writes, keys), stamps())
    })
    report(`set among ${keys} live keys, ${writes} a commit`, {
      'microseconds a set': (ms * 1000) / (commits * writes),
    })
  }
}

function bulk(entries: number): void {
  const stamps = stampsFrom(1)
  const document = yjsCrdt.open(2000, [])
  const updates: Uint8Array[] = []
  const ms = timeMs(() => {
    for (let from = 0; from < entries; from += 10_000) {
      const update = document.write(writesAt(from, 10_000, entries), stamps())
      if (update !== null) updates.push(update)
    }
  })
  const bytes = document.encode()
  const half = withoutEverySecond(document, entries, stamps)
  report(`import of ${entries} entries in commits of 10000`, {
    'microseconds an entry': (ms * 1000) / entries,
    'encoded bytes': bytes.length,
    'load ms': best(() => yjsCrdt.open(3000, [bytes]).destroy()),
    'load of the commits ms': best(() => yjsCrdt.open(3000, updates).destroy()),
    'remove every second ms': half.ms,
    'apply that ms': timeMs(() => yjsCrdt.open(3000, [...updates, half.update])),
  })
}

function withoutEverySecond(
  document: CrdtDocument,
  entries: number,
  stamps: () => Hlc,
): { ms: number; update: Uint8Array } {
  const writes = writesAt(0, entries, entries)
    .filter(({ key }) => Number(key[0]?.slice(6)) % 2 === 0)
    .map(({ table, key }) => ({ kind: 'remove', table, key }) as const)
  let update: Uint8Array | null = null
  const ms = timeMs(() => (update = document.write(writes, stamps())))
  return { ms, update: update ?? new Uint8Array() }
}

function tail(commits: number): void {
  const stamps = stampsFrom(1)
  const document = yjsCrdt.open(2000, [])
  const updates: Uint8Array[] = []
  for (let i = 0; i < commits; i++) {
    const update = document.write(writesAt(i, 1, commits), stamps())
    if (update !== null) updates.push(update)
  }
  report(`a tail of ${commits} commits of one new entry`, {
    'apply ms': best(() => yjsCrdt.open(3000, updates).destroy()),
    'compact ms': best(() => yjsCrdt.updates.compact(updates)),
  })
}

function reading(): void {
  const document = filled(100_000, stampsFrom(1))
  const bytes = document.encode()
  const ms = best(() => yjsCrdt.updates.clocks(bytes))
  const commit =
    yjsCrdt.open(2000, []).write(writesAt(0, 10_000, 10_000), stampsFrom(1)()) ?? new Uint8Array()
  const commitMs = best(() => yjsCrdt.updates.inspect(commit))
  report('strict reading', {
    'snapshot MB': bytes.length / 1e6,
    'MB/s of a snapshot': bytes.length / 1e3 / ms,
    'MB/s of a commit': commit.length / 1e3 / commitMs,
  })
}

function filled(keys: number, stamps: () => Hlc): CrdtDocument {
  const document = yjsCrdt.open(2000, [])
  for (let from = 0; from < keys; from += 10_000) document.write(writesAt(from, 10_000, keys), stamps())
  return document
}

/** Weights of (token, intent), float32-exact as learning writes them. */
function writesAt(from: number, count: number, keys: number): (Write & { kind: 'set' })[] {
  return Array.from({ length: count }, (_, i) => {
    const key = ((from + i) * 7919) % keys
    return {
      kind: 'set',
      table: 'weights',
      key: [`token-${key}`, `intent-${key % 150}`],
      value: Math.fround(((from + i) % 1000) / 997),
    }
  })
}

function stampsFrom(ms: number): () => Hlc {
  const clock = new HlcClock(replica, null)
  let now = ms
  return () => clock.tick(now++)
}

function timeMs(act: () => unknown): number {
  const start = performance.now()
  act()
  return performance.now() - start
}

/** Least time of five; where `prepare` returns a function, only that is timed. */
function best(prepare: () => unknown): number {
  let least = Infinity
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    const act = prepare()
    const prepared = performance.now()
    if (typeof act === 'function') act()
    least = Math.min(least, typeof act === 'function' ? performance.now() - prepared : prepared - start)
  }
  return least
}

function heapMB(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}

function report(what: string, figures: Record<string, number>): void {
  console.log(what)
  for (const [name, figure] of Object.entries(figures)) {
    console.log(`  ${name.padEnd(28)} ${Number.isInteger(figure) ? figure : figure.toFixed(2)}`)
  }
}
