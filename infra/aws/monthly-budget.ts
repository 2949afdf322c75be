import { Fn } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { Construct } from 'constructs';
import type { MonthlyBudgetProps } from './monthly-budget-props';
import { OptionalParameter } from './optional-parameter';

/** Percent of the budget at which the topic is told: what is spent, and what the month will come to. */
const THRESHOLDS = [
  ['ACTUAL', 80],
  ['ACTUAL', 100],
  ['FORECASTED', 100],
] as const;

/** Tells the topic when the month's spending nears or passes an amount (X11); off until `MonthlyBudgetUsd` says one. AWS counts it a few times a day. */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, { topicArn }: MonthlyBudgetProps) {
    super(scope, id);
    const amount = new OptionalParameter(this, 'Amount', {
      name: 'MonthlyBudgetUsd',
      description: 'US dollars a month: the topic is told at 80 and 100 percent of it, and when the forecast passes it; empty: no budget',
      pattern: '^[1-9][0-9]{0,8}$',
      constraint: 'must be a whole number of US dollars',
    });
    const tag = new OptionalParameter(this, 'Tag', {
      name: 'BudgetTag',
      description: 'Cost allocation tag of what counts, as key$value; empty: all that the account spends',
      pattern: '^[^$]+\\$.+$',
      constraint: 'must be a key, a dollar sign and a value, such as project$meridian',
    });
    const budget = new CfnBudget(this, 'Budget', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: amount.value as unknown as number, unit: 'USD' },
        costFilters: tag.whenSet({ TagKeyValue: [Fn.join('', ['user:', tag.value])] }),
      },
      notificationsWithSubscribers: THRESHOLDS.map(([notificationType, threshold]) => ({
        notification: { notificationType, threshold, thresholdType: 'PERCENTAGE', comparisonOperator: 'GREATER_THAN' },
        subscribers: [{ subscriptionType: 'SNS', address: topicArn }],
      })),
    });
    budget.cfnOptions.condition = amount.isSet;
  }
}
