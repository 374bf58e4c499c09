/**
 * `npm run bench`: measures cases, each subject in a process of its own, one after the other, and prints them side by side.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cases } from './cases/index.ts'
import { machine, printReport, type CaseReport, type Outcome } from './report.ts'
import { subjectNames, type SubjectName } from './subjects/subject.ts'

const child = fileURLToPath(new URL('child.ts', import.meta.url))

process.exitCode = await main()

/** @returns 0 measured, 1 something failed, 2 a wrong command line. */
async function main(): Promise<number> {
  const asked = readArgs()
  if (asked.kind === 'wrong') {
    console.error(asked.why)
    console.error(help())
    return 2
  }
  if (asked.kind === 'help') {
    console.log(help())
    return 0
  }
  if (!asked.json) console.log(machine())
  const reports: CaseReport[] = []
  for (const name of asked.cases) {
    const report = await measure(name, asked.peers)
    reports.push(report)
    if (!asked.json) printReport(report)
  }
  if (asked.json) console.log(JSON.stringify({ machine: machine(), reports }, null, 2))
  return reports.some(isWanting) ? 1 : 0
}

/** A peer that is not installed is no failure: its lines say how to get it. */
function isWanting({ outcomes }: CaseReport): boolean {
  return outcomes.some(({ outcome }) => outcome.kind === 'failed')
}

type Asked =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string }
  | {
      readonly kind: 'measure'
      readonly cases: readonly string[]
      readonly peers: readonly SubjectName[]
      readonly json: boolean
    }

function readArgs(): Asked {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        peer: { type: 'string', multiple: true, default: [] },
        alone: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help || positionals.length === 0) return { kind: 'help' }
    const named = positionals.includes('all') ? [...cases.keys()] : positionals
    const unknown = named.find((name) => !cases.has(name)) ?? values.peer.find((name) => !isSubject(name))
    if (unknown !== undefined) return { kind: 'wrong', why: `There is no case or peer ${unknown}.` }
    return { kind: 'measure', cases: named, peers: peersOf(values), json: values.json }
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : String(error) }
  }
}

function peersOf({ peer, alone }: { peer: string[]; alone: boolean }): readonly SubjectName[] {
  if (alone) return []
  return peer.length === 0 ? subjectNames : peer.filter(isSubject)
}

function isSubject(name: string): name is SubjectName {
  return subjectNames.some((known) => known === name)
}

async function measure(name: string, peers: readonly SubjectName[]): Promise<CaseReport> {
  const outcomes: CaseReport['outcomes'][number][] = []
  for (const subject of cases.get(name)?.subjects ?? []) {
    if (subject !== 'rejoin' && !peers.includes(subject)) continue
    if (process.stderr.isTTY) process.stderr.write(`${name}: ${subject} …\r`)
    outcomes.push({ subject, outcome: await measureAlone(name, subject) })
  }
  return { case: name, outcomes }
}

/** With this process's own flags: conditions, gc, tsx. */
async function measureAlone(name: string, subject: SubjectName): Promise<Outcome> {
  const running = fork(child, [name, subject])
  const told: Outcome[] = []
  running.on('message', (outcome) => told.push(outcome as Outcome))
  // What a process said last is heard before its channel closes, but not always before it is gone.
  const [[code]] = (await Promise.all([once(running, 'exit'), once(running, 'disconnect')])) as [
    [number | null],
    unknown,
  ]
  return (
    told[0] ?? { kind: 'failed', why: `its process ended with ${code ?? 'a signal'} and measured nothing` }
  )
}

function help(): string {
  const names = [...cases].map(([name, { about }]) => `  ${name.padEnd(18)} ${about}`)
  return `Measures Rejoin, beside the peers that people would use instead.

  npm run bench -- CASE... [--peer NAME]... [--alone] [--json]

Cases
${names.join('\n')}
  all                every one of them, which takes some minutes

Options
  --peer NAME  only this peer beside Rejoin (${subjectNames.slice(1).join(', ')})
  --alone      no peers
  --json       one JSON document

Example
  npm ci --prefix bench
  npm run bench -- document --peer y-map`
}
