import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { LastLineReporter } from './tests/last-line-reporter.ts'

// Tests read the packages' sources: no build is needed, and none can be stale.
const source = '@rejoin/source'

export default defineConfig({
  ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts', 'examples/*.test.ts'],
    globalSetup: 'tests/support/bundle.ts',
    // Much of the time a test waits for processes of its own: one core less would leave half the machine idle.
    maxWorkers: 2,
    execArgv: [`--conditions=${source}`],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', new LastLineReporter()],
  },
})
