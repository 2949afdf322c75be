import { meridianApp } from './meridian-app';

// `npm run synth`: the templates go to cdk.out, or to the folder that CDK_OUTDIR names, without the CDK's command line and the network.
meridianApp({ outdir: process.env['CDK_OUTDIR'] ?? 'cdk.out' }).synth();
