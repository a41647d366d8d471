terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

resource "aws_swf_domain" "this" {
  name                                        = var.domain
  workflow_execution_retention_period_in_days = var.retention_days
}
