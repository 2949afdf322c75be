import { meridianApp } from './meridian-app';

// `CDK_OUTDIR=<folder> tsx infra/aws/app.ts` writes the templates without the CDK's command line.
meridianApp().synth();
