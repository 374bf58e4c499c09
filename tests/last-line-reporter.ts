// Ends every run with one plain line: `N passed, N failed` or `N passed, N failed, N skipped`.
// A file that cannot be loaded and an error outside of any test count as failed, so a broken run never reads as a good one.
import type { Reporter, TestModule } from 'vitest/node'

export class LastLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const line = lastLine(modules, unhandledErrors)
    // At exit, because other reporters and vitest itself may still print after this hook.
    process.once('exit', () => process.stdout.write(`${line}\n`))
  }
}

function lastLine(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): string {
  let passed = 0
  let failed = unhandledErrors.length
  let skipped = 0
  for (const module of modules) {
    failed += module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const { state } of [...module.children.allTests()].map((test) => test.result())) {
      if (state === 'passed') passed++
      else if (state === 'skipped') skipped++
      else failed++
    }
  }
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
