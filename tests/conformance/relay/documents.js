// What a page written with Relay has in its components; only the compiler reads it.
import { graphql } from 'relay-runtime';

graphql`
  query documentsListQuery($count: Int!, $after: Cursor) {
    ...documents_contracts @arguments(count: $count, after: $after)
    viewer {
      accountId
    }
  }
`;

graphql`
  fragment documents_contracts on Query
  @refetchable(queryName: "documentsPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, after: { type: "Cursor" }) {
    contracts(first: $count, after: $after) @connection(key: "documents_contracts") {
      edges {
        node {
          id
          ...documents_contract
        }
      }
    }
  }
`;

graphql`
  fragment documents_contract on Contract @refetchable(queryName: "documentsContractQuery") {
    title
    state
    milestones {
      id
      title
      amount {
        amount
        currency
      }
    }
  }
`;

graphql`
  mutation documentsProposeMutation($input: ProposeContractInput!, $connections: [ID!]!) {
    proposeContract(input: $input) {
      contract @prependNode(connections: $connections, edgeTypeName: "ContractEdge") {
        id
        ...documents_contract
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`;

graphql`
  subscription documentsEventsSubscription($after: Cursor) {
    events(after: $after) {
      id
      cursor
      stream
    }
  }
`;
