locals {
  names = {
    account         = data.aws_caller_identity.this.account_id
    region          = data.aws_region.this.name
    domain          = var.domain
    prefix          = var.prefix
    modules_bucket  = var.modules_bucket
    payloads_bucket = var.payloads_bucket
    payloads_prefix = var.payloads_prefix
  }
}

resource "aws_iam_policy" "role" {
  for_each = toset(["decider", "input-poller", "activity-poller", "module-pusher", "operator"])
  name     = "${var.prefix}${each.key}"
  policy   = templatefile("${path.module}/../iam/${each.key}.json", local.names)
}

resource "aws_iam_policy" "data" {
  for_each = var.data_buckets
  name     = "${var.prefix}activity-poller-data-${each.key}"
  policy = templatefile("${path.module}/../iam/activity-poller-data.json", {
    data_bucket = each.key
  })
}

resource "aws_iam_policy" "client" {
  for_each = var.clients
  name     = "${var.prefix}client-${each.key}"
  policy   = templatefile("${path.module}/../iam/client.json", merge(local.names, { client = each.key }))
}

output "policies" {
  description = "Attach these to the roles that the processes run as."
  value = merge(
    { for name, policy in aws_iam_policy.role : name => policy.arn },
    { for name, policy in aws_iam_policy.data : "data-${name}" => policy.arn },
    { for name, policy in aws_iam_policy.client : "client-${name}" => policy.arn },
  )
}

output "queues" {
  description = "The clients' queues, for cpe.yaml."
  value = {
    for name in var.clients : name => {
      input_queue       = aws_sqs_queue.input[name].name
      output_queue      = aws_sqs_queue.output[name].name
      dead_letter_queue = aws_sqs_queue.dead[name].name
    }
  }
}
