/**
 * How a suite declares its cases to a test runner. Skipping one costs a written reason, and a name that no case has is a
 * failure: so a reason cannot outlive its case.
 */
import { assert } from '@rejoin/core'

/** `test` of vitest, node:test and the like. */
export type TestRunner = (name: string, run: () => Promise<void>) => unknown

/** Names of cases that an adapter cannot pass, each with the reason. */
export type Cannot = Readonly<Record<string, string>>

export type Cases = Readonly<Record<string, () => Promise<void>>>

export function declareCases(test: TestRunner, cases: Cases, cannot: Cannot = {}): void {
  for (const [name, reason] of Object.entries(cannot)) {
    assert(Object.hasOwn(cases, name), `"${name}" is no case of this suite`)
    assert(reason.trim() !== '', `leaving out "${name}" needs a reason`)
  }
  for (const [name, run] of Object.entries(cases)) {
    const reason = cannot[name]
    if (reason === undefined) test(name, run)
    else test(`${name} (left out: ${reason})`, () => Promise.resolve())
  }
}
