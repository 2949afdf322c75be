/** Who hears of spending. */
export interface MonthlyBudgetProps {
  readonly topicArn: string;
}
