// test/run.ts builds the bundles, sets `browsers`, `files` and Chromium's flags and listens to Karma's events in place of a reporter.

// A long synchronous computation on the CPU looks exactly like a dead browser.
const PATIENCE = 600_000;

function MiniBrowser(baseBrowserDecorator) {
  baseBrowserDecorator(this);
  Object.assign(this, { name: 'WebKit', ENV_CMD: 'WEBKIT_BIN', DEFAULT_CMD: {} });
}
MiniBrowser.$inject = ['baseBrowserDecorator'];

export default (config) =>
  config.set({
    frameworks: ['jasmine'],
    files: ['build/test/specs.browser.js'],
    reporters: [],
    plugins: [
      'karma-jasmine',
      'karma-chrome-launcher',
      'karma-firefox-launcher',
      { 'launcher:MiniBrowser': ['type', MiniBrowser] },
    ],
    customLaunchers: {
      chromium: { base: 'Chrome' },
      firefox: {
        base: process.env.DISPLAY ? 'Firefox' : 'FirefoxHeadless', // it has WebGL only on an X display
        // On its way to the notice of what it reports, a new profile loads its page again after five minutes.
        prefs: { 'datareporting.policy.dataSubmissionEnabled': false },
      },
      webkit: { base: 'MiniBrowser' },
    },
    hostname: '127.0.0.1',
    listenAddress: '127.0.0.1',
    pingTimeout: PATIENCE,
    browserNoActivityTimeout: PATIENCE,
    browserDisconnectTimeout: 10_000, // with that patience a lost connection is a crash
    captureTimeout: 120_000,
    retryLimit: 0, // Karma does not notice when a browser that crashed and was restarted is done
    failOnEmptyTestSuite: false, // run.ts counts, and knows when a filter explains an empty suite
    logLevel: config.LOG_WARN,
    singleRun: true,
    autoWatch: false,
  });
