// test/run.ts builds the bundles, and sets `browsers`, `files` and Chromium's flags. Instead of a reporter, it listens
// to Karma's events.

// Milliseconds. A long synchronous computation on the CPU looks exactly like a dead browser.
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
        base: process.env.DISPLAY ? 'Firefox' : 'FirefoxHeadless', // Firefox has WebGL only on an X display
        // Without this, a new profile shows a notice about data reporting after five minutes, and loads its page again.
        prefs: { 'datareporting.policy.dataSubmissionEnabled': false },
      },
      webkit: { base: 'MiniBrowser' },
    },
    hostname: '127.0.0.1',
    listenAddress: '127.0.0.1',
    pingTimeout: PATIENCE,
    browserNoActivityTimeout: PATIENCE,
    browserDisconnectTimeout: 10_000, // because of PATIENCE, a lost connection is a crash
    captureTimeout: 120_000,
    retryLimit: 0, // Karma does not notice the end of a browser that it restarted after a crash
    failOnEmptyTestSuite: false, // run.ts counts specs, and knows if a filter is the reason for an empty suite
    logLevel: config.LOG_WARN,
    singleRun: true,
    autoWatch: false,
  });
