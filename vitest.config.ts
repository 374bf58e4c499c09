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
    execArgv: [`--conditions=${source}`],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', new LastLineReporter()],
  },
})
